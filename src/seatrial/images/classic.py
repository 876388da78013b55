"""The classic builder: in every Docker engine, and in podman; needs nothing else."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker

from seatrial.core.progress import Step
from seatrial.images.builder import BUILD_TIMEOUT, SHOWN_LINES, Order, failure, plain
from seatrial.images.engine_files import ENGINE_ERRORS

__all__ = ["ClassicBuilder"]

#: podman writes the second word in capitals, and ends with no space
_STEP = re.compile(r"STEP (\d+/\d+) ?: (.*)", re.IGNORECASE)


@dataclass(frozen=True)
class ClassicBuilder:
    """Builds through the engine's API."""

    client: docker.DockerClient
    name: str = "the classic builder"

    def build(self, order: Order, step: Step) -> None:
        """Raises `ImageError`."""
        context, output = order.context, _Output(step)
        with context.tar() as archive:
            try:
                output.read(
                    self.client.api.build(
                        fileobj=archive,
                        custom_context=True,
                        dockerfile=context.dockerfile,
                        tag=order.reference,
                        buildargs=dict(order.build_args),
                        target=context.target or None,
                        labels=dict(order.labels),
                        platform=context.platform or None,
                        rm=True,
                        forcerm=True,
                        decode=True,
                        timeout=BUILD_TIMEOUT,
                    )
                )
            except ENGINE_ERRORS as error:
                output.error = str(error)
                raise failure(order, output.at, output.shown) from error
        if output.error:
            raise failure(order, output.at, output.shown)


class _Output:
    """What a build prints: the last lines of it, its step, and the error it ended with."""

    def __init__(self, step: Step) -> None:
        self.error = ""
        self.at = ""
        self._step = step
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self._rest = ""

    @property
    def shown(self) -> list[str]:
        return [*self._lines, self.error]

    def read(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for entry in entries:
            if "error" in entry:
                self.error = str(entry["error"])
            elif "stream" in entry:
                # a line may come in pieces
                *whole, self._rest = (self._rest + str(entry["stream"])).split("\n")
                for line in whole:
                    self._line(plain(line))
        self._line(plain(self._rest))

    def _line(self, line: str) -> None:
        if not line:
            return
        if match := _STEP.fullmatch(line):
            self.at = f"step {match[1]}, {match[2].strip()}"
        self._lines.append(line)
        self._step.line(line)
