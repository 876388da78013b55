"""Pages that are opened and kept as pictures; neither a browser nor a server is there."""

from __future__ import annotations

import types

import pytest

from seatrial.core.errors import HttpExpectationError
from seatrial.harness.page import Pages


class FakeEndpoint:
    def __init__(self, url="http://127.0.0.1:32001"):
        self.url = url
        self.awaited = []

    def wait_for(self, path, *, status):
        self.awaited.append((path, status))


class FakeBrowser:
    made = ()

    def __init__(self, *hosts):
        self.hosts = frozenset(hosts)
        self.opened = []
        self.closed = 0
        self.status = 200
        FakeBrowser.made += (self,)

    def open(self, url, *, timeout):
        self.opened.append((url, timeout))
        return types.SimpleNamespace(
            driver=object(),
            url=url,
            status=self.status,
            problems=["one"],
            title="Hello · flask-1/x",
            text="Hello",
            save_picture=self.save,
        )

    def save(self, path):
        path.write_bytes(b"png")
        return path

    def close(self):
        self.closed += 1


@pytest.fixture(autouse=True)
def _none_made(monkeypatch):
    monkeypatch.setattr(FakeBrowser, "made", ())


@pytest.fixture
def said():
    return []


@pytest.fixture
def pages(tmp_path, said):
    with Pages(tmp_path / "pictures", say=said.append, browser=FakeBrowser) as pages:
        yield pages


def test_a_page_is_opened_and_its_picture_kept(pages, said, tmp_path):
    endpoint = FakeEndpoint()
    page = pages(endpoint, "/page", timeout=3)
    assert endpoint.awaited == [("/page", 200)]
    (browser,) = FakeBrowser.made
    assert browser.opened == [("http://127.0.0.1:32001/page", 3)]
    assert (page.title, page.text, page.status) == ("Hello · flask-1/x", "Hello", 200)
    assert page.problems == ["one"]
    assert page.picture == tmp_path / "pictures" / "01-Hello-flask-1-x.png"
    assert page.picture.read_bytes() == b"png"
    assert said == [page.picture]
    assert page.screenshot("after the click").name == "02-after-the-click.png"
    assert page.screenshot("…").name == "03-page.png"
    assert len(said) == 3


def test_another_status_than_the_expected_one_is_refused_with_the_picture(pages):
    pages(FakeEndpoint())
    FakeBrowser.made[0].status = 500
    with pytest.raises(HttpExpectationError) as caught:
        pages(FakeEndpoint())
    assert caught.value.cause == (
        "the browser got status 500 from http://127.0.0.1:32001/, not 200"
    )
    assert "02-Hello" in caught.value.details
    assert pages(FakeEndpoint(), status=500).status == 500


def test_one_browser_serves_all_pages_of_a_host(pages):
    pages(FakeEndpoint())
    pages(FakeEndpoint("http://127.0.0.1:40001"))
    assert len(FakeBrowser.made) == 1


def test_a_new_host_needs_a_browser_that_may_speak_to_it(pages):
    pages(FakeEndpoint())
    pages(FakeEndpoint("http://lb.test:5000"))
    first, second = FakeBrowser.made
    assert first.closed == 1
    assert second.hosts == {"127.0.0.1", "lb.test"}


def test_the_browser_ends_with_the_test(tmp_path):
    with Pages(tmp_path, browser=FakeBrowser) as pages:
        pages(FakeEndpoint())
    assert FakeBrowser.made[0].closed == 1
    pages.close()
    assert FakeBrowser.made[0].closed == 1


def test_without_a_page_no_browser_is_made(tmp_path):
    with Pages(tmp_path, browser=FakeBrowser):
        pass
    assert FakeBrowser.made == ()
