"""A browser for `k8s_page`, on machines where the extra `browser` is installed."""

from __future__ import annotations

import importlib.util

from seatrial.core.errors import SetupError
from seatrial.core.health import Finding, Health
from seatrial.core.progress import Progress
from seatrial.http.browser import WAYS_OUT, Browser, NoBrowserError
from seatrial.setup import debian

__all__ = ["ensure_browser", "examine_browser", "is_wanted"]

#: with the font that stands for Arial, Helvetica and Times, which many pages ask for
PACKAGES = ("chromium", "fonts-liberation")


def is_wanted() -> bool:
    """Whether the extra `browser` is installed."""
    return importlib.util.find_spec("playwright") is not None


def ensure_browser(progress: Progress) -> str:
    """Make sure that a browser starts, and give its name and version; nothing where none is wanted.

    Playwright's own is taken, or the system's; where there is neither, Debian's is installed, on
    Debian or Ubuntu as root. Raises `SetupError` where none can be had, or the one there is does
    not start.
    """
    if not is_wanted():
        return ""
    try:
        return _started()
    except NoBrowserError as missing:
        system = debian.release()
        if not (system.has_apt and debian.is_root()):
            raise SetupError(
                f"{missing.cause}; seatrial installs one only on Debian or Ubuntu as root",
                details=f"{missing.details}\nthis is {system.pretty}",
                hint="playwright install chromium, or your system's package of Chromium or\n"
                "Chrome; without the extra `browser` none is asked for: pip uninstall playwright",
            ) from missing
    name, *_ = PACKAGES
    with progress.step(f"installing {', '.join(PACKAGES)} from Debian's packages") as step:
        debian.apt_update(on_line=step.line)
        if not debian.has_package(name):
            raise SetupError(
                f"{system.pretty} has no package {name}",
                hint="install Google Chrome (https://www.google.com/chrome), "
                "or playwright install chromium",
            )
        debian.apt_install(PACKAGES, on_line=step.line)
    return _started()


def examine_browser() -> Finding:
    """What the doctor says of it. A browser is started, and ended."""
    if not is_wanted():
        hint = "only k8s_page needs one: pip install 'seatrial[browser]'"
        return Finding("browser", Health.NOTE, "the extra `browser` is not installed", hint)
    try:
        return Finding("browser", Health.OK, _started())
    except SetupError as error:
        hint = WAYS_OUT if isinstance(error, NoBrowserError) else error.hint
        return Finding("browser", Health.BAD, error.cause, hint)


def _started() -> str:
    with Browser() as browser:
        return browser.start()
