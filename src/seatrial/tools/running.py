"""Runs commands: an argv list in, its output out, and an error that can be pasted into a shell."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seatrial.core.errors import CommandError

__all__ = ["Completed", "run"]


@dataclass(frozen=True)
class Completed:
    """What a command left behind when it ended."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    output: str
    """Standard output and standard error, line by line in the order of arrival."""


def run(
    argv: Sequence[str | Path],
    *,
    stdin: Iterable[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 600.0,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    hint: str = "",
) -> Completed:
    """Run `argv` to its end and give what it printed.

    `stdin` is streamed, never held as a whole. `env` is added to this process's environment for the
    child alone. `on_line` is called with each line as it arrives. The child is killed after
    `timeout` seconds, and whenever this call is left early (an interrupt).

    Raises `CommandError` if the command cannot be started, does not end in time, or (with `check`)
    ends with a status other than 0.
    """
    words = tuple(str(word) for word in argv)
    try:
        # the child is reaped in `finally` below, whatever happens between
        child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise CommandError(
            words, status=None, output="", because=f"cannot be started: {error.strerror}", hint=hint
        ) from error
    collected = _Collected(on_line)
    threads = [
        threading.Thread(target=collected.read, args=(child.stdout, True), daemon=True),
        threading.Thread(target=collected.read, args=(child.stderr, False), daemon=True),
    ]
    if stdin is not None:
        threads.append(threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True))
    for thread in threads:
        thread.start()
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired as error:
        child.kill()
        child.wait()
        raise CommandError(
            words,
            status=None,
            output="\n".join(collected.lines),
            because=f"did not end within {timeout:g} s",
            hint=hint,
        ) from error
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        for thread in threads[:2]:
            # a grandchild may hold the pipe open (a daemon): what it prints is not ours
            thread.join(timeout=2)
    done = Completed(
        words, child.returncode, "\n".join(collected.stdout), "\n".join(collected.lines)
    )
    if check and done.status != 0:
        raise CommandError(words, status=done.status, output=done.output, hint=hint)
    return done


class _Collected:
    """Lines of both streams in one list, as they came."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self.lines: list[str] = []
        self.stdout: list[str] = []
        self._on_line = on_line

    def read(self, stream: IO[bytes], is_stdout: bool) -> None:
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                self.lines.append(line)
                if is_stdout:
                    self.stdout.append(line)
                if self._on_line:
                    self._on_line(line)


def _feed(pipe: IO[bytes], chunks: Iterable[bytes]) -> None:
    # a child that ends early closes its end; its exit status tells why, not the broken pipe
    try:
        with pipe:
            for chunk in chunks:
                pipe.write(chunk)
    except BrokenPipeError:
        pass
