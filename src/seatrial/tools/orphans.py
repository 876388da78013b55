"""Commands that went on when the process that ran them was killed.

Each child is told in its environment whose it is. A daemon that a child starts has a session of
its own, and is not taken for an orphan.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from seatrial.core.processes import PROC, ProcessId, stat_of

__all__ = ["Orphan", "find", "kill_tree", "mark"]

#: not SEATRIAL_…: those are settings
VARIABLE = "_SEATRIAL_CHILD_OF"

#: seconds for the kernel to end a process that was killed
LAST_BREATH = 5.0


@dataclass(frozen=True)
class Orphan:
    """A command that nobody waits for any more."""

    process: ProcessId
    command: str
    owner: ProcessId

    def end(self) -> None:
        """Kill it, unless it has ended, and wait until it is gone."""
        with suppress(ProcessLookupError):
            process = os.pidfd_open(self.process.pid)
            try:
                # by now the number cannot be given out again unnoticed
                if not self.process.is_dead:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    select.select([process], [], [], LAST_BREATH)
            finally:
                os.close(process)


def mark() -> Mapping[str, str]:
    """What a child of this process is given into its environment."""
    owner = {**ProcessId.mine().asdict(), "session": os.getsid(0)}
    return {VARIABLE: json.dumps(owner, sort_keys=True)}


def find() -> Sequence[Orphan]:
    """The orphans of this user on this machine."""
    found = (_orphan(pid) for pid in _pids())
    return sorted(filter(None, found), key=lambda orphan: orphan.process.pid)


def kill_tree(pid: int) -> None:
    """Kill a child that has not been waited for, and what it has started: `kind` runs `docker`,
    which would go on making a container that nobody wants any more."""
    children: dict[int, list[int]] = {}
    for each in _pids():
        with suppress(OSError, ValueError, IndexError):
            stat = stat_of(each)
            # what has a session of its own is a daemon, and is meant to stay
            if int(stat[3]) == os.getsid(0):
                children.setdefault(int(stat[1]), []).append(each)
    doomed = [pid]
    for one in doomed:
        doomed += children.get(one, [])
    for one in doomed:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)


def _pids() -> Sequence[int]:
    return [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()]


def _orphan(pid: int) -> Orphan | None:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
        command = (PROC / str(pid) / "cmdline").read_bytes()
        session = os.getsid(pid)
    except OSError:
        # it has ended, or is another user's
        return None
    prefix = f"{VARIABLE}=".encode()
    for entry in environment.split(b"\0"):
        if entry.startswith(prefix):
            return _judged(pid, entry.removeprefix(prefix), command, session)
    return None


def _judged(pid: int, entry: bytes, command: bytes, session: int) -> Orphan | None:
    try:
        written = json.loads(entry)
    except ValueError:
        return None
    owner, process = ProcessId.read(written), ProcessId.of(pid)
    if owner is None or process is None or not owner.is_dead or written["session"] != session:
        return None
    return Orphan(process, command.replace(b"\0", b" ").decode(errors="replace").strip(), owner)
