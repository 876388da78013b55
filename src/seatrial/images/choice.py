"""Which builder is taken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import docker

from seatrial.core.errors import ConfigurationError
from seatrial.core.spelling import did_you_mean
from seatrial.images.builder import Builder
from seatrial.images.buildkit import BuildKit, docker_buildx
from seatrial.images.classic import ClassicBuilder
from seatrial.tools.engine import is_podman

__all__ = ["BUILDERS", "choose_builder"]

#: what `k8s_image_options` may ask for
BUILDERS = ("auto", "classic", "buildkit")


def choose_builder(
    wanted: str, client: docker.DockerClient, buildx: Callable[[], Path] | None = None
) -> Builder:
    """The builder of that name.

    `auto` is BuildKit where the `docker` command has buildx, else the classic builder, as `docker
    build` itself has it; `DOCKER_BUILDKIT=0` or `1` decides, as it does there. `buildx` gives the
    program where the command has none, and is asked only if BuildKit is demanded.

    Raises `ConfigurationError` for a builder that there is none of.
    """
    if wanted not in BUILDERS:
        raise ConfigurationError(
            f"there is no builder {wanted!r}",
            hint=did_you_mean(wanted, BUILDERS) or f"one of {', '.join(BUILDERS)}",
        )
    asked = os.environ.get("DOCKER_BUILDKIT", "")
    if wanted == "classic" or (wanted == "auto" and asked == "0"):
        return ClassicBuilder(client)
    if is_podman(client):
        if wanted == "auto":
            return ClassicBuilder(client)
        raise ConfigurationError(
            "podman has no BuildKit", hint="leave it out (builder='auto'): podman builds by itself"
        )
    if command := docker_buildx():
        return BuildKit(command)
    if wanted == "auto" and asked != "1":
        return ClassicBuilder(client)
    if buildx is None:
        raise ConfigurationError(
            "BuildKit is demanded, and the `docker` command has no buildx",
            hint="install the package docker-buildx or docker-buildx-plugin",
        )
    return BuildKit((str(buildx()),))
