"""What a session says while it works, past pytest's capture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from seatrial.core.progress import Progress

__all__ = ["loudly", "progress_of"]


@contextmanager
def loudly(config: pytest.Config) -> Iterator[None]:
    """Let progress through: a session's set-up may take minutes, and captured it looks stuck."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if reporter := config.pluginmanager.getplugin("terminalreporter"):
            # the name of the test, or its dots, stand in a line that is not ended yet
            reporter.ensure_newline()
            reporter.flush()
        yield


def progress_of(config: pytest.Config) -> Progress:
    """Shows steps; those of a worker of pytest-xdist with its name."""
    from seatrial.report.console import ConsoleProgress  # noqa: PLC0415 - heavy, see the package

    return ConsoleProgress(who=getattr(config, "workerinput", {}).get("workerid", ""))
