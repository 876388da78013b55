"""A browser that looks at the application: Chromium without a window, driven by Playwright.

Playwright's own Chromium is used where it was installed (`playwright install chromium`), the
system's everywhere else. The browser resolves no name but the application's, so that it makes no
connection to anywhere else, whatever the page or the browser itself would like.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from seatrial.core.errors import HttpExpectationError, SeatrialError, SetupError

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page as PlaywrightPage

__all__ = [
    "LOAD_TIMEOUT",
    "PROGRAMS",
    "WAYS_OUT",
    "Browser",
    "NoBrowserError",
    "Page",
    "find_program",
]

#: names of the system's browser, Debian's first
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

#: what keeps Chromium from talking to its maker; most are among Playwright's own flags as well
QUIET = (
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-features=DialMediaRouteProvider,MediaRouter,OptimizationHints,Translate",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-proxy-server",
)
#: there is often little of it in a container, and Chromium would crash: a file is used instead
SMALL_MEMORY = "--disable-dev-shm-usage"

#: pixels of the window, and so of a picture of a page that is not longer
WIDTH, HEIGHT = 1280, 800

#: seconds for a page to load. The application answers within its own timeouts; this is the
#: browser's, which on a busy machine takes several to draw its first page
LOAD_TIMEOUT = 30.0

#: how one comes by a browser
WAYS_OUT = (
    "`seatrial setup` installs one on Debian as root; else `playwright install chromium`,\n"
    "or your system's package of Chromium or Chrome"
)

#: what Playwright says where it has no browser of its own
NOT_INSTALLED = "Executable doesn't exist"


class NoBrowserError(SetupError):
    """There is none at all, so that one could be installed."""


def find_program(which: Callable[[str], str | None] = shutil.which) -> Path | None:
    """The system's Chromium or Chrome, or None."""
    found = next(filter(None, map(which, PROGRAMS)), None)
    return Path(found) if found else None


class Browser:
    """Opens pages of these hosts: `with Browser("127.0.0.1") as browser: browser.open(url)`.

    Starts at the first page. Not for use inside of a running asyncio loop, and only one at a time
    in a thread, as Playwright's own synchronous API is.
    """

    def __init__(self, *hosts: str, program: Callable[[], Path | None] = find_program) -> None:
        self.hosts = frozenset(hosts)
        self._program = program
        self._playwright: Any = None
        self._browser: PlaywrightBrowser | None = None
        self._which = ""

    def start(self) -> str:
        """Start the browser unless it runs, and say which it is: `Chromium 156.0 (/usr/bin/x)`.

        Raises `SetupError` where there is no Playwright or no browser, or it does not start.
        """
        return f"Chromium {self._started().version} ({self._which})"

    def open(self, url: str, *, timeout: float = LOAD_TIMEOUT) -> Page:
        """Open `url` and give the page once it is loaded.

        Raises `SetupError` where there is no Playwright or no browser, and `HttpExpectationError`
        for a page that does not load within `timeout` seconds.
        """
        browser = self._started()
        driver = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        problems: list[str] = []
        driver.on("pageerror", lambda error: problems.append(f"error: {error}"))
        driver.on(
            "requestfailed",
            lambda request: problems.append(f"not loaded: {request.url} ({request.failure})"),
        )
        try:
            answer = driver.goto(url, timeout=timeout * 1000, wait_until="load")
        except self._error as error:
            first = str(error).strip().splitlines()[0]
            raise HttpExpectationError(
                f"the browser cannot open {url}: {first}", details="\n".join(problems)
            ) from error
        return Page(driver, url, answer.status if answer else 0, problems)

    def close(self) -> None:
        """End the browser and Playwright; any number of times."""
        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        try:
            if browser is not None:
                browser.close()
        finally:
            if playwright is not None:
                playwright.stop()

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _error(self) -> type[Exception]:
        found: type[Exception] = importlib.import_module("playwright.sync_api").Error
        return found

    def _started(self) -> PlaywrightBrowser:
        if self._browser is not None:
            return self._browser
        try:
            api = importlib.import_module("playwright.sync_api")
        except ImportError as error:
            raise SetupError(
                "a browser needs Playwright, which is not installed",
                details=str(error),
                hint="pip install 'seatrial[browser]'",
            ) from error
        self._playwright = api.sync_playwright().start()
        try:
            self._browser = self._launch()
        except BaseException:
            self.close()
            raise
        return self._browser

    def _launch(self) -> PlaywrightBrowser:
        launch = self._playwright.chromium.launch
        # Chromium's sandbox needs user namespaces, which root and many containers do not get; as
        # Playwright itself does, we leave it out: the page is the user's own
        options: dict[str, Any] = {
            "args": [*QUIET, SMALL_MEMORY, self._only_these_hosts],
            "chromium_sandbox": False,
        }
        try:
            own: PlaywrightBrowser = launch(**options)
        except self._error as error:
            if NOT_INSTALLED not in str(error):
                raise _unstartable("Playwright's own Chromium", error) from error
        else:
            self._which = "Playwright's own"
            return own
        program = self._program()
        if program is None:
            raise NoBrowserError(
                "there is no browser: neither Playwright's own, nor one of the system's",
                details=f"looked for {', '.join(PROGRAMS)} on PATH",
                hint=WAYS_OUT,
            )
        try:
            systems: PlaywrightBrowser = launch(executable_path=str(program), **options)
        except self._error as error:
            raise _unstartable(str(program), error) from error
        self._which = str(program)
        return systems

    @property
    def _only_these_hosts(self) -> str:
        # addresses go through the same rules as names
        allowed = "".join(f", EXCLUDE {host}" for host in sorted(self.hosts))
        return f"--host-resolver-rules=MAP * ~NOTFOUND{allowed}"


class Page:
    """One page as the browser shows it."""

    def __init__(self, driver: PlaywrightPage, url: str, status: int, problems: list[str]) -> None:
        self.driver = driver
        """Playwright's own page, for all that is not here: `page.driver.click("text=version")`."""
        self.url = url
        self.status = status
        """The HTTP status of the page itself."""
        self.problems = problems
        """Errors of its scripts, and what it could not load; more may come."""

    @property
    def title(self) -> str:
        return self.driver.title()

    @property
    def text(self) -> str:
        """All text that a person can see."""
        return self.driver.inner_text("body")

    def save_picture(self, path: Path) -> Path:
        """Save the page as a PNG, all of it even where the window is too small."""
        self.driver.screenshot(path=str(path), full_page=True)
        return path


def _unstartable(what: str, error: Exception) -> SeatrialError:
    return SetupError(
        f"{what} does not start",
        details=str(error),
        hint="does it start by itself? chromium --headless --no-sandbox --dump-dom about:blank",
    )
