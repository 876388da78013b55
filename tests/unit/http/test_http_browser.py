"""Which browser is started, with what, and what is said where there is none. None is started."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from seatrial.core.errors import HttpExpectationError, SetupError
from seatrial.http.browser import PROGRAMS, Browser, find_program


class PlaywrightError(Exception):
    """Stands for Playwright's own."""


class FakePage:
    def __init__(self, world):
        self.world = world
        self.heard = {}

    def on(self, what, call):
        self.heard[what] = call

    def goto(self, url, *, timeout, wait_until):
        self.world.asked.append((url, timeout, wait_until))
        self.heard["pageerror"]("x is not defined")
        failed = types.SimpleNamespace(url="http://elsewhere/a.js", failure="net::ERR")
        self.heard["requestfailed"](failed)
        if self.world.refuses:
            raise PlaywrightError(f"net::ERR_CONNECTION_REFUSED at {url}\nCall log:\n  - more")
        return types.SimpleNamespace(status=203)

    def title(self):
        return "Hello"

    def inner_text(self, selector):
        return f"text of {selector}"

    def screenshot(self, *, path, full_page):
        assert full_page
        Path(path).write_bytes(b"png")


class World:
    """A Playwright, with or without a browser of its own."""

    def __init__(self):
        self.own = True
        self.system = True
        self.refuses = False
        self.launched = []
        self.asked = []
        self.ended = []
        self.chromium = self
        self.version = "156.0"

    def sync_playwright(self):
        return self

    def start(self):
        return self

    def stop(self):
        self.ended.append("playwright")

    def launch(self, *, args, chromium_sandbox, executable_path=None):
        assert chromium_sandbox is False
        self.launched.append((executable_path, args))
        if executable_path is None and self.own is not True:
            raise PlaywrightError(self.own or "Executable doesn't exist at /x/chrome")
        if executable_path is not None and not self.system:
            raise PlaywrightError("libnss3.so: cannot open shared object file")
        return self

    def new_page(self, *, viewport):
        return FakePage(self)

    def close(self):
        self.ended.append("browser")


@pytest.fixture
def world(monkeypatch):
    world = World()
    api = types.ModuleType("playwright.sync_api")
    api.sync_playwright, api.Error = world.sync_playwright, PlaywrightError
    monkeypatch.setitem(sys.modules, "playwright", types.ModuleType("playwright"))
    monkeypatch.setitem(sys.modules, "playwright.sync_api", api)
    return world


def test_a_page_is_opened_and_read(world, tmp_path):
    with Browser("127.0.0.1") as browser:
        page = browser.open("http://127.0.0.1:1/", timeout=3)
        assert world.asked == [("http://127.0.0.1:1/", 3000, "load")]
        assert (page.title, page.text, page.status) == ("Hello", "text of body", 203)
        assert page.problems == [
            "error: x is not defined",
            "not loaded: http://elsewhere/a.js (net::ERR)",
        ]
        assert page.save_picture(tmp_path / "a.png").read_bytes() == b"png"
        browser.open("http://127.0.0.1:1/again")
    assert len(world.launched) == 1
    assert world.ended == ["browser", "playwright"]
    browser.close()
    assert len(world.ended) == 2


def test_it_may_speak_to_its_hosts_alone(world):
    with Browser("127.0.0.1", "lb.test") as browser:
        browser.open("http://127.0.0.1:1/")
    ((_, args),) = world.launched
    assert "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE lb.test" in args
    assert "--disable-background-networking" in args
    assert "--no-proxy-server" in args


def test_the_systems_browser_stands_in_for_playwrights_own(world):
    world.own = ""
    with Browser("h", program=lambda: Path("/usr/bin/chromium")) as browser:
        browser.open("http://h/")
    assert [program for program, _ in world.launched] == [None, "/usr/bin/chromium"]


@pytest.mark.parametrize(("own", "named"), [(True, "Playwright's own"), ("", "/usr/bin/chromium")])
def test_a_browser_can_be_started_before_there_is_a_page_and_says_what_it_is(world, own, named):
    world.own = own
    with Browser(program=lambda: Path("/usr/bin/chromium")) as browser:
        assert browser.start() == f"Chromium 156.0 ({named})"
        assert browser.start() == f"Chromium 156.0 ({named})"
    assert len(world.launched) == (1 if own else 2)


def test_without_any_browser_the_way_out_is_told(world):
    world.own = ""
    with pytest.raises(SetupError) as caught:
        Browser("h", program=lambda: None).open("http://h/")
    assert str(caught.value) == (
        "there is no browser: neither Playwright's own, nor one of the system's\n"
        "  looked for chromium, chromium-browser, google-chrome-stable, google-chrome on PATH\n"
        "-> `seatrial setup` installs one on Debian as root; else `playwright install chromium`,\n"
        "   or your system's package of Chromium or Chrome"
    )
    assert world.ended == ["playwright"]


@pytest.mark.parametrize(("own", "named"), [("it crashed", "Playwright's own"), ("", "/bin/c")])
def test_a_browser_that_does_not_start_is_named(world, own, named):
    world.own, world.system = own, False
    with pytest.raises(SetupError, match=f"^{named}.* does not start"):
        Browser("h", program=lambda: Path("/bin/c")).open("http://h/")
    assert world.ended == ["playwright"]


def test_a_missing_playwright_is_an_error_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright", None)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(SetupError) as caught:
        Browser("h").open("http://h/")
    assert caught.value.cause == "a browser needs Playwright, which is not installed"
    assert caught.value.hint == "pip install 'seatrial[browser]'"


def test_a_page_that_does_not_load_is_the_deployments_fault(world):
    world.refuses = True
    with Browser("h") as browser, pytest.raises(HttpExpectationError) as caught:
        browser.open("http://h/")
    assert caught.value.cause == (
        "the browser cannot open http://h/: net::ERR_CONNECTION_REFUSED at http://h/"
    )
    assert "x is not defined" in caught.value.details


def test_the_first_program_on_the_path_is_taken():
    assert find_program({"google-chrome": "/a", "chromium": "/b"}.get) == Path("/b")
    assert find_program({PROGRAMS[-1]: "/a"}.get) == Path("/a")
    assert find_program(lambda _: None) is None
