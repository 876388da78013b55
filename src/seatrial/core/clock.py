"""Time, as something that is handed in, so that tests need not wait for it.

Durations are seconds as `float`; `monotonic()` is only ever compared with itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol

__all__ = ["Clock", "Deadline", "SystemClock"]


class Clock(Protocol):
    """What the library asks of time."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""

    def wall(self) -> datetime:
        """The time of day, in UTC."""

    def wait(self, condition: threading.Condition, timeout: float) -> None:
        """Wait until `condition`, which the caller holds, is notified; at most `timeout` s."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(timezone.utc)

    def wait(self, condition: threading.Condition, timeout: float) -> None:
        condition.wait(timeout)


@dataclass(frozen=True)
class Deadline:
    """A moment on a clock, `timeout` seconds after `started`."""

    clock: Clock
    started: float
    timeout: float

    @classmethod
    def after(cls, timeout: float, clock: Clock) -> Deadline:
        return cls(clock, clock.monotonic(), timeout)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds left; never negative."""
        # from the end, not from what has elapsed: rounded, that may leave a rest so small that
        # waiting for it moves no clock
        return max(0.0, self.started + self.timeout - self.clock.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining <= 0
