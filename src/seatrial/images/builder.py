"""What a builder is given, and what it says when it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from seatrial.core.errors import ImageError
from seatrial.core.progress import Step
from seatrial.images.context import BuildContext

__all__ = ["BUILD_TIMEOUT", "SHOWN_LINES", "Builder", "Order", "failure", "plain"]

#: seconds for a build; a step may well print nothing for many minutes
BUILD_TIMEOUT = 3600

#: lines of output that an error shows
SHOWN_LINES = 30


@dataclass(frozen=True, kw_only=True)
class Order:
    """An image to be built."""

    context: BuildContext
    reference: str
    build_args: Mapping[str, str]
    labels: Mapping[str, str]


class Builder(Protocol):
    """Builds images into the engine."""

    @property
    def name(self) -> str:
        """For a person: `BuildKit`."""

    def build(self, order: Order, step: Step) -> None:
        """Raises `ImageError`, see `failure`."""


#: colours and the like (ECMA-48): the classic builder itself writes errors in red
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(line: str) -> str:
    """A line of output without colours, and no space at its end."""
    return _CONTROL.sub("", line).rstrip()


def failure(order: Order, where: str, lines: Iterable[str]) -> ImageError:
    """An error that names the step (`step 2/2, RUN pip install`) and shows its last lines."""
    text = "\n".join(lines)
    at = f" at {where}" if where else ""
    return ImageError(
        f"image {order.reference} cannot be built: it failed{at}", details=text, hint=_hint(text)
    )


#: what output tells (in lower case), and the way out
_HINTS = (
    (
        ("certificate_verify_failed", "unknown authority"),
        "the build does not trust the certificate it was shown; name a PEM file of the\n"
        "authorities that your network needs: --seatrial-extra-ca=FILE",
    ),
    (
        ("no space left on device",),
        "the disk of the engine is full: docker system df, docker image prune",
    ),
    (
        # the engine's own words, and those on a heredoc
        ("requires buildkit", "unknown instruction: <<", "unknown flag: link"),
        "the engine's classic builder does not know this: k8s_build_image(…, builder='buildkit')",
    ),
    (
        ("docker-image://docker.io/docker/dockerfile",),
        "the Dockerfile's line `# syntax=…` asks for a frontend from a registry; without that\n"
        "line the one in the engine is used",
    ),
)


def _hint(output: str) -> str:
    told = output.lower()
    return next((hint for signs, hint in _HINTS if any(each in told for each in signs)), "")
