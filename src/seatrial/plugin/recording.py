"""Recordings of tests: they begin with a test's namespace, and end before that goes.

Where it is goes into the report's `user_properties`: so JUnit's file has it as well,
and pytest-xdist's controller learns it from the workers.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from seatrial.core.settings import Settings
    from seatrial.events import Timeline
    from seatrial.harness import Cluster, Deployer
    from seatrial.harness.recorder import Recorder
    from seatrial.watch import View

# ruff: noqa: PLC0415 - what is heavy is imported where it is needed, see the package

__all__ = ["deployer_of", "end", "note_phase", "pytest_terminal_summary", "timeline_of"]

#: where the recording of a test is; what went wrong with it
PLACE, TROUBLE = "seatrial_recording", "seatrial_recording_trouble"

_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()


def timeline_of(item: pytest.Item, settings: Settings, cluster: Cluster, feed: View) -> Timeline:
    """The timeline of a test's namespace; with `--seatrial-record` it is recorded from now on."""
    if settings.record is None:
        from seatrial.events import Timeline

        return Timeline(feed, tie=settings.event_tie)
    from seatrial.harness.recorder import RecordedTimeline, Recorder

    recorder = Recorder(
        settings.record,
        feed,
        test=item.nodeid,
        namespace=feed.namespace,
        kubernetes=cluster.connection.version().removeprefix("v"),
        tie=settings.event_tie,
    )
    item.stash[_RECORDER] = recorder
    item.user_properties.append((PLACE, str(recorder.path)))
    return RecordedTimeline(recorder, tie=settings.event_tie)


def deployer_of(item: pytest.Item, deployer: Deployer) -> Deployer:
    """The deployer, or one that does the same and is recorded."""
    recorder = item.stash.get(_RECORDER, None)
    if recorder is None:
        return deployer
    from seatrial.harness.recorder import RecordedDeployer

    return RecordedDeployer.of(deployer, recorder)


def end(item: pytest.Item) -> None:
    """End the test's recording, if there is one."""
    recorder = item.stash.get(_RECORDER, None)
    if recorder is not None:
        del item.stash[_RECORDER]
        recorder.close()
        if recorder.trouble:
            item.user_properties.append((TROUBLE, recorder.trouble))


def note_phase(
    item: pytest.Item, report: pytest.TestReport, error: pytest.ExceptionInfo[BaseException] | None
) -> None:
    """Record what became of a test's set-up, or of its call."""
    recorder = item.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.phase(report.when, report.outcome, error.exconly() if error else "")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the recordings of failed tests are, and how to look at them."""
    reports = [
        report
        for several in terminalreporter.stats.values()
        for report in several
        if isinstance(report, pytest.TestReport)
    ]
    failed = {report.nodeid for report in reports if report.failed}
    places = _told(reports, PLACE)
    shown = {test: found for test, found in places.items() if test in failed}
    if shown:
        terminalreporter.section("recordings of failed tests")
    for test, found in shown.items():
        terminalreporter.line(test)
        for place in found:
            path = _nearest(Path(place), config.invocation_params.dir)
            terminalreporter.line(f"    seatrial replay {shlex.quote(path)}")
    for test, found in _told(reports, TROUBLE).items():
        terminalreporter.line(f"seatrial: the recording of {test} broke off: {found[-1]}")


def _told(reports: list[pytest.TestReport], what: str) -> dict[str, list[str]]:
    """By test, in the order in which they ran."""
    found: dict[str, dict[str, None]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == what:
                found.setdefault(report.nodeid, {})[str(value)] = None
    return {test: list(values) for test, values in found.items()}


def _nearest(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
