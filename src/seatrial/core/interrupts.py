"""What SIGINT and SIGTERM do while there is something to be cleaned up.

The first one ends the work, as Ctrl-C does in Python, so that everything on the way out is cleaned
up; while that goes on, it only says so. The second one ends the process at once, and says what is
left and how to remove it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Both signals' handler. Only the main thread can set it, as only it is given signals."""

    #: the one that is set, for whoever cleans up below and knows nothing of who set it
    _active: Interrupts | None = None

    def __init__(
        self,
        left: Callable[[], str],
        *,
        say: Callable[[str], None] | None = None,
        leave: Callable[[int], None] = os._exit,
        passed_on: bool = False,
    ) -> None:
        """`left` says what is left by now, in lines that can be pasted; it must not wait.

        With `passed_on`, one and the same signal may come as several: a terminal sends Ctrl-C to
        all processes of a run, and the one that began it passes it on. Only the same one again is
        then a second one.
        """
        self._left = left
        self._say = say or _to_stderr
        self._leave = leave
        self._passed_on = passed_on
        self._seen: list[int] = []
        self._shields = 0
        self._due = False
        self._before: dict[int, object] = {}

    def set(self) -> None:
        """Take the signals from now on; those that somebody else handles stay his."""
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._handle)
        Interrupts._active = self

    def unset(self) -> None:
        """Give the signals back as they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` gave
        self._before.clear()
        if Interrupts._active is self:
            Interrupts._active = None

    @classmethod
    @contextmanager
    def shielded(cls) -> Iterator[None]:
        """Let the cleaning up within come to its end: a first signal comes after it."""
        active = cls._active
        if active is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        active._shields += 1  # noqa: SLF001 - of its own class
        try:
            yield
        finally:
            active._shields -= 1  # noqa: SLF001
            if active._due and not active._shields:  # noqa: SLF001
                active._due = False  # noqa: SLF001
                raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's
        again = number in self._seen if self._passed_on else bool(self._seen)
        first = not self._seen
        self._seen.append(number)
        name = signal.Signals(number).name
        if again:
            self._say(f"seatrial: second signal ({name}), stopped at once.\n{self._left()}")
            self._leave(128 + number)
            return
        if not first:
            return
        self._say(f"seatrial: {name}: cleaning up; once more to stop at once")
        if self._shields:
            self._due = True
            return
        raise KeyboardInterrupt(name)


def _to_stderr(text: str) -> None:
    # not by `print`: a signal may have come in the middle of one
    os.write(2, f"\n{text}\n".encode())
