"""How long work tells a person what it is doing; who shows it, and how, is decided above."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Progress", "Quiet", "Step"]


class Step(Protocol):
    """One piece of work that is under way."""

    def line(self, text: str) -> None:
        """The latest line of its output, or where it has got to."""


class Progress(Protocol):
    """Shows steps. A step that raises is shown as failed."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Announce a piece of work that may take longer than a second."""

    def note(self, text: str) -> None:
        """Say one thing that is done, or needs no work."""


class _Silent:
    def line(self, text: str) -> None:
        pass


class Quiet:
    """Shows nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:  # noqa: ARG002 - the Protocol's signature
        yield _Silent()

    def note(self, text: str) -> None:
        pass
