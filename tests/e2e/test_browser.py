"""The tutorial's last step: the page, as a person sees it."""

from __future__ import annotations

import struct
import zlib

import pytest

from seatrial.core.model import dig


def pixels(png):
    """Width, height, and the colours of a PNG as Chromium writes it: 8 bits, RGB or RGBA."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, size = 8, b"", None
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">IIBBBBB", body)
        if kind == b"IDAT":
            data += body
        place += 12 + length
    width, height, depth, colour, _, _, interlaced = size
    assert (depth, interlaced) == (8, 0)
    step = {2: 3, 6: 4}[colour]
    raw, colours = zlib.decompress(data), set()
    row = bytearray(width * step)
    for number in range(height):
        start = number * (width * step + 1)
        row = unfiltered(raw[start], raw[start + 1 : start + 1 + width * step], row, step)
        colours |= {bytes(row[at : at + 3]) for at in range(0, len(row), step)}
    return width, height, colours


def unfiltered(kind, line, above, step):
    """One row without the filter that it was written through (PNG specification, 9.2)."""
    row = bytearray(line)
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        up, corner = above[at], above[at - step] if at >= step else 0
        paeth = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        row[at] = (row[at] + (0, left, up, (left + up) // 2, paeth)[kind]) % 256
    return row


@pytest.fixture
def release(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    return release


def test_the_page_is_seen_and_its_picture_saved(release, k8s_http, k8s_page, tmp_path, request):
    pod = dig(release.pods()[0], "metadata", "name")
    page = k8s_page(k8s_http.service("flask", port=5000))
    assert page.status == 200
    assert page.title == f"Hello from Flask · {pod}"
    assert "Hello from Flask" in page.text
    assert page.driver.inner_text("dl div:has(dt:text-is('Pod')) dd") == pod
    assert page.driver.inner_text("dl div:has(dt:text-is('Node')) dd") == dig(
        release.pods()[0], "spec", "nodeName"
    )
    # what the browser would like to have beside the page, it has not got
    assert page.problems == []

    assert page.picture.parent == tmp_path
    assert ("k8s_page", str(page.picture)) in request.node.user_properties
    width, height, colours = pixels(page.picture.read_bytes())
    assert (width, height) >= (1280, 800)
    assert len(colours) > 50, "the picture is blank"


def test_a_page_that_is_clicked_on_has_another_picture(release, k8s_http, k8s_page):
    page = k8s_page(k8s_http.service("flask", port=5000, route="port-forward"))
    page.driver.click("text=version")
    page.driver.wait_for_url("**/version")
    assert '"name":"flask"' in page.text
    second = page.screenshot("after the click")
    assert second != page.picture
    assert second.name.endswith("after-the-click.png")
    assert second.read_bytes() != page.picture.read_bytes()


def test_the_browser_speaks_to_nobody_else(release, k8s_http, k8s_page):
    endpoint = k8s_http.service("flask", port=5000)
    page = k8s_page(endpoint)
    # by a name that every machine resolves, which leads to this very application
    elsewhere = endpoint.url.replace("127.0.0.1", "localhost")
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.driver.goto(elsewhere)
    assert page.problems == [f"not loaded: {elsewhere}/ (net::ERR_NAME_NOT_RESOLVED)"]
