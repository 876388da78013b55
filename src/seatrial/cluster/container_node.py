"""A node that is a container of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seatrial.tools.running import run

__all__ = ["ContainerNode"]


@dataclass(frozen=True)
class ContainerNode:
    """Runs commands through the user's own `docker` or `podman`, which kind needs as well."""

    name: str
    command: str = "docker"

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command in the node and give its standard output. Raises `CommandError`."""
        interactive = ["--interactive"] if stdin is not None else []
        return run([self.command, "exec", *interactive, self.name, *argv], stdin=stdin).stdout
