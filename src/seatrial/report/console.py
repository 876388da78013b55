"""Progress for a person: a live line on a terminal, a plain line per step in CI or a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

__all__ = ["ConsoleProgress"]

#: a log that shows nothing for longer than this looks stuck, and some CI systems end it
HEARTBEAT = 60.0


class ConsoleProgress:
    """Shows the steps of long work on a console, to standard error by default."""

    def __init__(self, console: Console | None = None, *, who: str = "") -> None:
        """`who` is put before each line, where several processes show their steps on one console;
        none of them is then given the live line."""
        self.console = console or Console(
            stderr=True, highlight=False, force_terminal=False if who else None
        )
        self._who = f"[{who}] " if who else ""

    def note(self, text: str) -> None:
        line = Text(self._who).append("✓ ", style="green").append(text, style="default")
        # a path that is broken in two cannot be copied
        self.console.print(line, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[_LiveStep | _PlainStep]:
        started = time.monotonic()
        shown = (
            _LiveStep(self.console, title)
            if self.console.is_terminal
            else _PlainStep(self.console, title, self._who)
        )
        try:
            with shown:
                yield shown
        except BaseException:
            cross = Text(self._who).append("✗ ", style="red")
            self.console.print(cross.append(f"{title}: failed", style="default"))
            raise
        self.note(f"{title} ({_duration(time.monotonic() - started)})")


class _LiveStep:
    """A spinner, the title, the time, and the latest line of output."""

    def __init__(self, console: Console, title: str) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[latest]}", table_column=None),
            console=console,
            transient=True,
        )
        self._title = title
        self._task: TaskID | None = None

    def __enter__(self) -> _LiveStep:
        self._bars.start()
        self._task = self._bars.add_task(escape(self._title), total=None, latest="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def line(self, text: str) -> None:
        if self._task is not None:
            room = max(10, self._bars.console.width - len(self._title) - 16)
            self._bars.update(self._task, latest=text.strip().replace("[", "(")[:room])


class _PlainStep:
    """The title once, then now and then the time that has gone by."""

    def __init__(self, console: Console, title: str, who: str = "") -> None:
        self._console = console
        self._title = title
        self._who = who
        self._latest = ""
        self._done = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._started = time.monotonic()

    def __enter__(self) -> _PlainStep:
        self._console.print(Text(f"{self._who}… {self._title}"))
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def line(self, text: str) -> None:
        self._latest = text.strip()

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            since = _duration(time.monotonic() - self._started)
            self._console.print(Text(f"{self._who}  {since}: {self._latest}"[:160]))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
