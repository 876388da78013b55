"""A node that is a container of a Docker engine."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import docker
import docker.errors
import requests

from seatrial.core.errors import CommandError
from seatrial.tools.running import run

__all__ = ["DockerNode"]

#: seconds for a command without input: a node that is frozen never answers
TIMEOUT = 600.0


@dataclass(frozen=True)
class DockerNode:
    """Runs commands in the container.

    Those without input go through the engine's API, in half the time that the `docker` command
    takes; input is streamed by that command.
    """

    name: str
    client: docker.DockerClient | None = field(default=None, compare=False, repr=False)
    """Without it all goes through the command."""

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command in the node and give its standard output. Raises `CommandError`."""
        if stdin is None and self.client is not None:
            return _Asking(self.client, self.name, argv).answer()
        interactive = ["--interactive"] if stdin is not None else []
        return run([*_exec(self.name, interactive), *argv], stdin=stdin).stdout


def _exec(name: str, options: Sequence[str] = ()) -> list[str]:
    return ["docker", "exec", *options, name]


class _Asking:
    """One command through the engine's API."""

    def __init__(self, client: docker.DockerClient, name: str, argv: Sequence[str]) -> None:
        self._client = client
        self._name = name
        self._argv = list(argv)
        self._outcome: tuple[int, bytes, bytes] | Exception | None = None

    def answer(self) -> str:
        # the SDK reads an answer without a limit of time
        thread = threading.Thread(target=self._ask, daemon=True)
        thread.start()
        thread.join(TIMEOUT)
        if self._outcome is None:
            raise self._error(None, because=f"did not end within {TIMEOUT:g} s")
        if isinstance(self._outcome, Exception):
            because = f"cannot be run in the node: {self._outcome}"
            raise self._error(None, because=because) from self._outcome
        status, stdout, stderr = self._outcome
        if status != 0:
            raise self._error(status, (stdout + stderr).decode(errors="replace"))
        return "\n".join(stdout.decode(errors="replace").splitlines())

    def _ask(self) -> None:
        api = self._client.api
        try:
            started = api.exec_create(self._name, self._argv)["Id"]
            stdout, stderr = api.exec_start(started, demux=True)
            status = int(api.exec_inspect(started)["ExitCode"])
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            self._outcome = error
        else:
            self._outcome = status, stdout or b"", stderr or b""

    def _error(self, status: int | None, output: str = "", because: str = "") -> CommandError:
        argv = [*_exec(self._name), *self._argv]
        return CommandError(argv, status=status, output=output, because=because)
