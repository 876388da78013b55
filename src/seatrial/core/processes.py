"""Who a process is, so that it can be told later whether that very process still lives.

A process id alone is no life sign: it is given out again. With the moment at which the process
started, the boot that this was in and the machine, it is unique (proc(5)).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["OWNER_LABEL", "PROC", "ProcessId", "Run", "is_leftover", "stat_of", "temporary_prefix"]

#: on what the engine holds for a process of ours: which one, as JSON
OWNER_LABEL = "seatrial.dev/owner"


PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """One process of one machine, for good."""

    pid: int
    started: int
    """When it started, in clock ticks since the boot."""
    boot: str
    """The kernel's id of that boot."""
    host: str
    """The machine's name and id; boots of one machine are told apart by `boot`."""
    space: str
    """The namespace in which `pid` is its number: a container counts for itself."""

    @classmethod
    def mine(cls) -> ProcessId:
        """Of the process that asks."""
        found = cls.of(os.getpid())
        if found is None:
            raise ProcessLookupError("/proc does not know this process: is it mounted?")
        return found

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Of the process with that number here, or None if there is none."""
        started = _started(pid)
        if started is None:
            return None
        return cls(pid, started, _boot(), _host(), _space())

    @classmethod
    def read(cls, written: Any) -> ProcessId | None:
        """What `asdict` wrote, or None if it is nothing of the kind."""
        try:
            return cls(
                pid=int(written["pid"]),
                started=int(written["started"]),
                boot=str(written["boot"]),
                host=str(written["host"]),
                space=str(written["space"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def of_label(cls, value: str | None) -> ProcessId | None:
        """What `label` wrote, or None."""
        try:
            return cls.read(json.loads(value or "null"))
        except ValueError:
            return None

    @property
    def label(self) -> str:
        """The value of `OWNER_LABEL`."""
        return json.dumps(self.asdict(), sort_keys=True)

    def asdict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @property
    def is_of_this_machine(self) -> bool:
        return self.host == _host()

    @property
    def is_dead(self) -> bool:
        """Whether it is known to have ended.

        Nobody can tell of another machine's process, nor of one in another container: those count
        as living.
        """
        if not self.is_of_this_machine:
            return False
        if self.boot != _boot():
            return True
        return self.space == _space() and _started(self.pid) != self.started

    def __str__(self) -> str:
        place = "" if self.is_of_this_machine else f" on {self.host.partition('/')[0]}"
        return f"process {self.pid}{place}"


@dataclass(frozen=True)
class Run:
    """One call of pytest or of `seatrial`, whatever its number of processes."""

    token: str = field(default_factory=lambda: secrets.token_hex(4))
    starter: ProcessId | None = None
    """The process that ends the run, where that is another one: pytest-xdist's controller."""

    @property
    def holders(self) -> Sequence[ProcessId]:
        """The processes that it is known by here."""
        mine = ProcessId.mine()
        return [self.starter, mine] if self.starter else [mine]


def temporary_prefix() -> str:
    """What the names of temporary files begin with: it tells which process they belong to."""
    mine = ProcessId.mine()
    return f"seatrial-{mine.pid}-{mine.started}-{mine.boot[:8]}-{_space_number(mine)}-"


def is_leftover(name: str) -> bool:
    """Whether a temporary file of that name belonged to a process here that has ended."""
    match = re.match(r"seatrial-(\d+)-(\d+)-([0-9a-f]{8})-(\d*)-", name)
    if not match:
        return False
    pid, started, boot, space = match.groups()
    mine = ProcessId.mine()
    if boot != mine.boot[:8]:
        return True
    return space == _space_number(mine) and _started(int(pid)) != int(started)


def _space_number(process: ProcessId) -> str:
    return "".join(filter(str.isdigit, process.space))


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the process's name: its state is the first, proc(5).

    Raises `OSError` or `ValueError` if there is no such process.
    """
    # the name stands in brackets, and may itself hold brackets and blanks
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _started(pid: int) -> int | None:
    try:
        fields = stat_of(pid)
    except (OSError, ValueError):
        return None
    # a zombie has ended, and only its parent has not asked yet
    return None if fields[0] in "ZX" else int(fields[19])


@cache
def _boot() -> str:
    return _read(PROC / "sys/kernel/random/boot_id")


@cache
def _host() -> str:
    return f"{socket.gethostname()}/{_read(Path('/etc/machine-id'))[:12]}"


def _space() -> str:
    # not cached: a child may be in another one
    try:
        return os.readlink(PROC / "self/ns/pid")  # noqa: PTH115 - it points at no path
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
