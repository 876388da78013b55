"""A node that is a container of a Docker engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seatrial.tools.running import run

__all__ = ["DockerNode"]


@dataclass(frozen=True)
class DockerNode:
    """Runs commands through the user's own `docker`, which kind needs as well."""

    name: str

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command in the node and give its standard output. Raises `CommandError`."""
        interactive = ["--interactive"] if stdin is not None else []
        return run(["docker", "exec", *interactive, self.name, *argv], stdin=stdin).stdout
