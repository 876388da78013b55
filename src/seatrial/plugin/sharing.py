"""How the processes of one run of pytest share its cluster, and how the run ends.

The cluster is given up when the session is over, by the process that began it, and not by the
fixture: by then the last teardown has been judged, and pytest-xdist's workers have gone.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.core.errors import SeatrialError
from seatrial.core.interrupts import Interrupts
from seatrial.core.leases import Leases
from seatrial.core.processes import ProcessId, Run
from seatrial.plugin.console import loudly, progress_of
from seatrial.plugin.options import settings_of

if TYPE_CHECKING:
    from seatrial.cluster import ClusterHandle, ClusterOptions, Provider, Sharing

# ruff: noqa: PLC0415 - what is heavy is imported where it is needed, see the package

__all__ = [
    "heed_signals",
    "join",
    "pytest_configure_node",
    "pytest_sessionfinish",
    "run_of",
    "will_be_kept",
]

#: what a worker of pytest-xdist is told by its controller
_INPUT = "seatrial"


class _Stay:
    """What one process of the run has of clusters."""

    def __init__(self, run: Run, *, is_worker: bool) -> None:
        self.run = run
        self.is_worker = is_worker
        #: whether it has workers, which may have joined clusters that it knows nothing of
        self.has_workers = False
        self.interrupts: Interrupts | None = None
        #: the terminal's standard error, while signals are heeded
        self.stderr = 2
        self.joined: dict[str, Sharing] = {}


_STAY = pytest.StashKey[_Stay]()


def _stay(config: pytest.Config) -> _Stay:
    if _STAY not in config.stash:
        told = getattr(config, "workerinput", {}).get(_INPUT)
        run = Run(told["run"], ProcessId.read(told["starter"])) if told else Run()
        config.stash[_STAY] = _Stay(run, is_worker=hasattr(config, "workerinput"))
    return config.stash[_STAY]


def run_of(config: pytest.Config) -> Run:
    """This run, which all workers of pytest-xdist belong to."""
    return _stay(config).run


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which run it belongs to."""
    stay = _stay(node.config)
    stay.has_workers = True
    node.workerinput[_INPUT] = {"run": stay.run.token, "starter": ProcessId.mine().asdict()}
    # they may be at work on a cluster when this process is told to end
    heed_signals(node.config)


def join(config: pytest.Config, provider: Provider, options: ClusterOptions) -> ClusterHandle:
    """Give the cluster, shared with whoever uses it: see `Sharing.join`."""
    from seatrial.cluster import Sharing

    settings, stay = settings_of(config), _stay(config)
    if settings.provider == "existing":
        # somebody else's: there is nothing to make for the others, and nothing to remove
        return provider.ensure(options, progress_of(config))
    sharing = Sharing(provider, settings.state_dir)
    stay.joined[options.name] = sharing
    return sharing.join(options, progress_of(config), stay.run, keep=settings.keep != "never")


def will_be_kept(session: pytest.Session) -> bool:
    """Whether the cluster is to outlive the session, as far as it is known by now."""
    keep = settings_of(session.config).keep
    broken = session.testsfailed > 0 or session.exitstatus == pytest.ExitCode.INTERNAL_ERROR
    return keep == "always" or (keep == "on-failure" and broken)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Give up the run's clusters once all else has ended."""
    stay = _stay(session.config)
    try:
        if stay.has_workers and session.exitstatus == pytest.ExitCode.INTERRUPTED:
            _end_workers(session.config)
        yield
    finally:
        try:
            if not stay.is_worker and (stay.joined or stay.has_workers):
                with Interrupts.shielded(), loudly(session.config):
                    _leave(session)
        except KeyboardInterrupt:
            # all is cleaned up: there is nothing that this would still interrupt
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        except SeatrialError as error:
            _tell(session, error)
        finally:
            if stay.interrupts:
                stay.interrupts.unset()
                os.close(stay.stderr)
                stay.interrupts = None


def _leave(session: pytest.Session) -> None:
    config = session.config
    stay, progress = _stay(config), progress_of(config)
    for name, sharing in _clusters(config).items():
        try:
            sharing.leave(name, progress, stay.run, keep=will_be_kept(session))
        except SeatrialError as error:
            _tell(session, error)
        stay.joined.pop(name, None)


def _tell(session: pytest.Session, error: SeatrialError) -> None:
    print(f"\nseatrial: {error}", file=sys.stderr)  # noqa: T201 - no test is left to report it
    session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR


def _clusters(config: pytest.Config) -> dict[str, Sharing]:
    """All clusters of the run, by name, those that only workers have joined among them."""
    stay = _stay(config)
    found = dict(stay.joined)
    for name in _names(config) if stay.has_workers else ():
        if name not in found:
            from seatrial.cluster import Sharing
            from seatrial.setup.provision import provider_of

            settings = settings_of(config)
            found[name] = Sharing(provider_of(settings), settings.state_dir)
    return found


def _names(config: pytest.Config) -> list[str]:
    keys = Leases(settings_of(config).state_dir).of_run(run_of(config).token)
    return [key.partition(".")[0] for key in keys]


def _end_workers(config: pytest.Config) -> None:
    """Pass the signal on: workers end by it at once, where pytest-xdist waits for ten seconds."""
    leases, run = Leases(settings_of(config).state_dir), run_of(config)
    for key in leases.of_run(run.token):
        for holder in leases.users(key, run.token):
            # that very process, and not one that was given its number
            if ProcessId.of(holder.pid) == holder:
                with suppress(ProcessLookupError):
                    os.kill(holder.pid, signal.SIGTERM)


def heed_signals(config: pytest.Config) -> None:
    """Clean up at SIGINT and SIGTERM from now on, until the session is over."""
    stay = _stay(config)
    if stay.interrupts is None:
        with loudly(config):
            # pytest's capture puts a file in its place, which an end at once would leave unread
            stay.stderr = os.dup(2)

        def say(text: str) -> None:
            # what is left is not a worker's to tell, but its controller's; and where workers need
            # no cluster, nothing is said of one
            if not stay.is_worker and (not stay.has_workers or _names(config)):
                os.write(stay.stderr, f"\n{text}\n".encode())

        stay.interrupts = Interrupts(lambda: _left(config), say=say, passed_on=stay.is_worker)
        stay.interrupts.set()


def _left(config: pytest.Config) -> str:
    stay, settings = _stay(config), settings_of(config)
    names = sorted({*stay.joined, *(_names(config) if stay.has_workers else ())})
    if not names:
        return "Nothing is left behind."
    command = ["seatrial", "gc"]
    if settings.source("state_dir") != "default":
        command.insert(0, f"SEATRIAL_STATE_DIR={shlex.quote(str(settings.state_dir))}")
    if settings.engine != "auto":
        command += ["--engine", settings.engine]
    listed = "\n".join(f"  cluster {name}, its containers and network" for name in names)
    return f"What may be left behind:\n{listed}\n-> {' '.join(command)}"
