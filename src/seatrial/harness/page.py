"""The application as a person would see it, with a picture for evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from seatrial.core.errors import HttpExpectationError
from seatrial.http import Endpoint
from seatrial.http.browser import LOAD_TIMEOUT, Browser, Page

__all__ = ["OpenedPage", "Pages"]


class OpenedPage:
    """One opened page. `title`, `text`, `picture`; `driver` is Playwright's own page."""

    def __init__(self, page: Page, save: Callable[[Page, str], Path]) -> None:
        self._page = page
        self._save = save
        self.driver = page.driver
        self.url = page.url
        self.status = page.status
        self.problems = page.problems
        #: the picture that was saved as soon as the page was loaded
        self.picture = save(page, "")

    @property
    def title(self) -> str:
        """The document's title."""
        return self._page.title

    @property
    def text(self) -> str:
        """All text that a person can see."""
        return self._page.text

    def screenshot(self, name: str = "") -> Path:
        """Save one more picture, of the page as it is now, and give its path."""
        return self._save(self._page, name)


class Pages:
    """Opens endpoints in a browser: `k8s_page(endpoint).title`.

    A picture of every page is saved in `folder`, and `say` is told where. The browser starts with
    the first page. It may speak to the hosts of the endpoints alone: with one of another host it
    starts anew, and pages that were open are closed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        say: Callable[[Path], None] = lambda _: None,
        browser: Callable[..., Browser] = Browser,
    ) -> None:
        self.folder = folder
        self._say = say
        self._make = browser
        self._browser: Browser | None = None
        self._saved = 0

    def __call__(
        self,
        endpoint: Endpoint,
        path: str = "/",
        *,
        status: int = 200,
        timeout: float = LOAD_TIMEOUT,
    ) -> OpenedPage:
        """Open `path` of the endpoint, and give the page once it is loaded (within `timeout` s).

        The endpoint is asked first, with its retries, so that a pod that has just become ready
        does not fail the test. Raises `HttpExpectationError` if the answer's status is not
        `status`, and `SetupError` where there is no Playwright or no browser.
        """
        endpoint.wait_for(path, status=status)
        base = endpoint.url
        browser = self._browser_for(urlsplit(base).hostname or "")
        opened = OpenedPage(browser.open(f"{base}/{path.lstrip('/')}", timeout=timeout), self._keep)
        if opened.status != status:
            raise HttpExpectationError(
                f"the browser got status {opened.status} from {opened.url}, not {status}",
                details=f"picture: {opened.picture}",
            )
        return opened

    def close(self) -> None:
        """End the browser; the pictures stay."""
        browser, self._browser = self._browser, None
        if browser is not None:
            browser.close()

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _browser_for(self, host: str) -> Browser:
        hosts = self._browser.hosts if self._browser else frozenset()
        if self._browser is None or host not in hosts:
            self.close()
            self._browser = self._make(*hosts, host)
        return self._browser

    def _keep(self, page: Page, name: str) -> Path:
        self._saved += 1
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", name or page.title).strip("-.") or "page"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = page.save_picture(self.folder / f"{self._saved:02}-{words[:60]}.png")
        self._say(path)
        return path
