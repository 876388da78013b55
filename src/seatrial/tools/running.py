"""Runs commands: an argv list in, its output out, and an error that can be pasted into a shell."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seatrial.core.errors import CommandError
from seatrial.tools import orphans

__all__ = ["Completed", "run"]

#: seconds that the last output of a child that has ended may take to arrive
LAST_OUTPUT = 2.0


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
    ends with a status other than 0; and whatever `stdin` or `on_line` raise.
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
            env={**os.environ, **orphans.mark(), **(env or {})},
        )
    except OSError as error:
        raise CommandError(
            words, status=None, output="", because=f"cannot be started: {error.strerror}", hint=hint
        ) from error
    talk = _Conversation(child, stdin, on_line)
    late: subprocess.TimeoutExpired | None = None
    try:
        talk.begin()
        child.wait(timeout)
    except subprocess.TimeoutExpired as error:
        late = error
    finally:
        if child.poll() is None:
            orphans.kill_tree(child.pid)
            child.wait()
        talk.end()
    if talk.failures:
        raise talk.failures[0]
    output = "\n".join(talk.lines)
    if late is not None:
        because = f"did not end within {timeout:g} s"
        raise CommandError(words, status=None, output=output, because=because, hint=hint) from late
    done = Completed(words, child.returncode, "\n".join(talk.stdout), output)
    if check and done.status != 0:
        raise CommandError(words, status=done.status, output=done.output, hint=hint)
    return done


class _Conversation:
    """What goes between us and a child: its output in one list as it came, and its input."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        stdin: Iterable[bytes] | None,
        on_line: Callable[[str], None] | None,
    ) -> None:
        self.lines: list[str] = []
        self.stdout: list[str] = []
        #: what `stdin` or `on_line` raised in a thread of ours
        self.failures: list[Exception] = []
        self._child = child
        self._on_line = on_line
        self._lock = threading.Lock()
        self._taken: set[IO[bytes]] = set()
        self._begun: set[threading.Thread] = set()
        self._threads = [
            (pipe, threading.Thread(target=work, args=(pipe, *more), daemon=True))
            for pipe, work, more in (
                (child.stdout, self._read, (True,)),
                (child.stderr, self._read, (False,)),
                (child.stdin, self._write, (stdin,)),
            )
            if pipe is not None
        ]

    def begin(self) -> None:
        for _, thread in self._threads:
            thread.start()
            self._begun.add(thread)

    def end(self) -> None:
        for pipe, thread in self._threads:
            if thread not in self._begun and self._is_mine(pipe):
                pipe.close()
            elif pipe is not self._child.stdin:
                # a grandchild may hold the pipe open (a daemon): what it prints is not ours
                thread.join(LAST_OUTPUT)

    def _is_mine(self, pipe: IO[bytes]) -> bool:
        """Whether the caller is the first to ask: it is the one to use the pipe, and closes it.

        An interrupt may come while a thread is begun, and nobody can tell whether it was.
        """
        with self._lock:
            first = pipe not in self._taken
            self._taken.add(pipe)
            return first

    def _read(self, stream: IO[bytes], is_stdout: bool) -> None:
        if not self._is_mine(stream):
            return
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                self.lines.append(line)
                if is_stdout:
                    self.stdout.append(line)
                if self._on_line:
                    try:
                        self._on_line(line)
                    except Exception as error:  # noqa: BLE001 - raised by `run`
                        self._fail(error)

    def _write(self, pipe: IO[bytes], chunks: Iterable[bytes]) -> None:
        if not self._is_mine(pipe):
            return
        # a child that ends early closes its end; its exit status tells why, not the broken pipe
        try:
            with pipe:
                for chunk in self._whole(chunks):
                    pipe.write(chunk)
        except BrokenPipeError:
            pass

    def _whole(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except Exception as error:  # noqa: BLE001 - raised by `run`
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failures.append(error)
        # now, while its pipes are open: it must not take half of its input for the whole
        orphans.kill_tree(self._child.pid)
