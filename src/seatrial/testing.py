"""Fakes for tests of code that uses seatrial: a clock that stands still, a feed that is scripted.

Nothing here talks to a cluster. With `VirtualClock` a test of a 30 second timeout takes no time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from seatrial.core.errors import SeatrialError
from seatrial.core.model import Change, Object, Record, Snapshot, dig

__all__ = ["ScriptedFeed", "VirtualClock"]


class VirtualClock:
    """A clock that moves only when somebody waits on it, or `advance` is called."""

    EPOCH = datetime(2030, 1, 1, tzinfo=timezone.utc)

    def __init__(self) -> None:
        self.now = 0.0
        #: called after every move with the new time; a scripted feed delivers what is due
        self.on_move: list[Callable[[float], None]] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return self.EPOCH + timedelta(seconds=self.now)

    def wait(self, condition: threading.Condition, timeout: float) -> None:  # noqa: ARG002 - nobody
        # notifies it: what is scripted is delivered by the move itself
        self.advance(timeout)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for moved in self.on_move:
            moved(self.now)


class ScriptedFeed:
    """A feed whose records come from a script: `feed.at(2.0, Change.ADDED, pod)`.

    Records that are due by the clock's time are delivered whenever the clock moves, with the time
    of the script as their stamp.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.changed = threading.Condition(threading.RLock())
        self.failure: SeatrialError | None = None
        self._script: list[tuple[float, int, Change, str, Object, str]] = []
        self._records: list[Record] = []
        self.clock.on_move.append(self._deliver)

    def at(
        self,
        seconds: float,
        change: Change,
        obj: Object | None = None,
        *,
        kind: str = "",
        note: str = "",
    ) -> ScriptedFeed:
        """Plan a record; `kind` is taken from the object unless given."""
        obj = obj or {}
        kind = kind or dig(obj, "kind", default="")
        self._script.append((seconds, len(self._script), change, kind, obj, note))
        self._script.sort(key=lambda step: step[:2])
        self._deliver(self.clock.now)
        return self

    def _deliver(self, now: float) -> None:
        while self._script and self._script[0][0] <= now:
            when, _, change, kind, obj, note = self._script.pop(0)
            wall = VirtualClock.EPOCH + timedelta(seconds=when)
            number = len(self._records) + 1
            self._records.append(Record(number, when, wall, change, kind, obj, note))

    def records(self, kind: str = "", *, after: int = 0) -> Sequence[Record]:
        return [r for r in self._records[after:] if kind in ("", r.kind)]

    def snapshot(self) -> Snapshot:
        return Snapshot.of_records(self._records)

    def check(self) -> None:
        if self.failure:
            raise self.failure
