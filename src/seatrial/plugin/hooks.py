"""What seatrial adds to a run of pytest, beside its fixtures."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.core.errors import EventMismatchError, ExpectationError, NotReadyError
from seatrial.core.settings import CA_VARIABLES
from seatrial.plugin import recording
from seatrial.plugin.options import settings_of

if TYPE_CHECKING:
    from seatrial.events import Timeline

__all__ = [
    "TIMELINE",
    "pytest_configure",
    "pytest_fixture_setup",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_sessionstart",
]

#: the events of a test that has a namespace, for its report
TIMELINE: pytest.StashKey[Timeline] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "k8s_pod_security(level): enforce a Pod Security Standard (privileged, baseline or "
        "restricted) in the test's own namespace.",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse settings that cannot be used before anything else is said or done."""
    settings_of(session.config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """What differs from the defaults, and where it was set."""
    settings = settings_of(config)
    changed = [f"{row.name}={row.value} ({row.source})" for row in settings.describe()
               if row.source != "default" and not row.source.endswith(CA_VARIABLES)]  # fmt: skip
    return f"seatrial: {', '.join(changed)}" if changed else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the test's events to the report of a failure.

    An expectation that was not met is reported where the test stated it, not inside seatrial.
    """
    error = call.excinfo.value if call.excinfo else None
    if call.excinfo and isinstance(error, ExpectationError):
        _hide_our_frames(call.excinfo)
    report = yield
    recording.note_phase(item, report, call.excinfo)
    if report.failed:
        timeline = item.stash.get(TIMELINE, None)
        # the texts of these two have the events in them
        if timeline is not None and not isinstance(error, (NotReadyError, EventMismatchError)):
            from seatrial.report.events import event_lines  # noqa: PLC0415 - see the package

            report.sections.append(("Kubernetes events", "\n".join(event_lines(timeline))))
    return report


def _hide_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    for entry in excinfo.traceback:
        names = entry.frame.f_globals
        if str(names.get("__name__", "")).partition(".")[0] == "seatrial":
            # pytest's own switch, which it looks up in a frame's globals as well; here rather than
            # in every module, since errors of other kinds are to show where they come from
            names["__tracebackhide__"] = lambda info: isinstance(info.value, ExpectationError)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> None:
    """Let pytest-kind's `kind_cluster` find our cluster, instead of making one of its own.

    Its options are set as if they had been given: the name, kubeconfig, executables and node image
    of `k8s_cluster`. The cluster stays ours, so `keep_cluster` keeps pytest-kind from deleting it.
    """
    option = request.config.option
    if fixturedef.argname != "kind_cluster" or not hasattr(option, "kind_bin"):
        return
    cluster = request.getfixturevalue("k8s_cluster")
    option.cluster_name = cluster.name
    option.kubeconfig = str(cluster.kubeconfig_path)
    # None is pytest-kind's word for: look for one, should it ever be called
    option.kind_bin = str(cluster.kind_path) if cluster.kind_path else None
    option.kind_kubectl_bin = str(cluster.kubectl_path)
    option.kind_image = cluster.node_image
    option.keep_cluster = True
