"""What those who look at a cluster get to see of the watch streams, and how they wait on them.

`watch.Hub` is the real feed; tests use `seatrial.testing.ScriptedFeed`, and a recording can be one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from seatrial.core.clock import Clock, Deadline
from seatrial.core.model import Record, Snapshot

__all__ = ["Feed", "wait_on"]

T = TypeVar("T")


class Feed(Protocol):
    """Records as they arrive, and the state they add up to."""

    @property
    def clock(self) -> Clock:
        """The clock that records are stamped with."""

    @property
    def changed(self) -> threading.Condition:
        """Notified after every record; hold it while reading to see one consistent moment."""

    def records(self, kind: str = "", *, after: int = 0) -> Sequence[Record]:
        """The records with a number above `after`, of one kind or of all, in their order."""

    def snapshot(self) -> Snapshot:
        """The latest state of all watched objects."""

    def check(self) -> None:
        """Raise the error that ended a stream for good, if one did."""


def wait_on(
    feed: Feed,
    look: Callable[[], T | None],
    deadline: Deadline,
    *,
    wake_within: float = 1.0,
) -> T | None:
    """Call `look` at once and after every change until it gives something, or time is up.

    `wake_within` bounds the seconds between two looks even if nothing changes, for conditions that
    depend on time as well (a grace period that runs out). Gives None when the deadline has passed;
    `look` has then been called once after it.
    """
    with feed.changed:
        while True:
            feed.check()
            found = look()
            if found is not None or deadline.passed:
                return found
            feed.clock.wait(feed.changed, min(wake_within, deadline.remaining))
