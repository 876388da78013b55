"""Starts a program that goes on when this process ends, where no systemd does it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.core.errors import CommandError, EngineError
from seatrial.core.progress import Step

__all__ = ["START_TIMEOUT", "Daemon"]

#: seconds for it to answer; an engine took 2 to 4 where this was written
START_TIMEOUT = 60.0

#: those that were started here: they outlive this process, and Python would warn of that
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Daemon:
    """A program that answers once it is up."""

    title: str
    """As in "the Docker engine"."""
    argv: Sequence[str]
    log: Path
    """File that its output goes into."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What it finds in its environment beside ours."""

    def start(self, answers: Callable[[], bool], step: Step) -> None:
        """Start it and wait until it answers. Raises `EngineError` with the end of its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                # a Ctrl-C here is not meant for it
                start_new_session=True,
            )
        _started.append(process)
        ends = time.monotonic() + START_TIMEOUT
        while not answers():
            # there is no event for "I listen now"; waiting on the process paces the look
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if process.returncode is not None or time.monotonic() > ends:
                raise self._failed(process)
            step.line(self._last_line())

    def _failed(self, process: subprocess.Popen[bytes]) -> EngineError:
        ended = process.returncode
        if ended is None:
            process.terminate()
            process.wait()
        because = f"did not answer within {START_TIMEOUT:g} s" if ended is None else ""
        error = EngineError(
            f"{self.title} is installed, but does not start", hint=f"see {self.log}"
        )
        error.__cause__ = CommandError(
            [self.argv[0].rpartition("/")[2], *self.argv[1:]],
            status=ended,
            output=self.log.read_text(errors="replace"),
            because=because,
        )
        error.details = str(error.__cause__)
        return error

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""
