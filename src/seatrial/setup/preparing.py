"""Gets all that the main job needs, and says what it is about to do: what `seatrial setup` runs.

Each part looks first whether it is there, so a second run takes seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import docker

from seatrial.core.errors import NodeImageError
from seatrial.core.progress import Progress
from seatrial.core.settings import Settings
from seatrial.setup import registry
from seatrial.setup.debian_image import DebianImage
from seatrial.setup.engine import ensure_engine
from seatrial.setup.node_image import NodeImageBuilder
from seatrial.setup.node_recipe import known_versions
from seatrial.tools.artifacts import Artifacts
from seatrial.tools.engine import connect
from seatrial.tools.toolchain import Toolchain

__all__ = [
    "PYTHON_BASE",
    "Prepared",
    "artifacts_of",
    "prepare",
    "prepare_buildx",
    "prepare_image_base",
]

#: stands for python:3.x-slim where no registry answers; Debian's own Python, with pip
PYTHON_BASE = DebianImage(
    repository="seatrial/python",
    packages=("ca-certificates", "python3", "python3-pip", "python3-venv"),
    changes=("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
)


@dataclass(frozen=True)
class Prepared:
    """What is there once `prepare` is done."""

    client: docker.DockerClient
    kind: Path
    kubectl: Path
    node_image: str
    kubernetes: str
    """Version of the Kubernetes in the node image."""


def artifacts_of(settings: Settings) -> Artifacts:
    """The folder of built and fetched things."""
    return Artifacts(settings.state_dir / "artifacts")


def prepare(settings: Settings, progress: Progress) -> Prepared:
    """Engine, kind, kubectl and node image. Raises `SetupError`, each naming the way out."""
    ensure_engine(
        progress,
        state_dir=settings.state_dir,
        mirror=settings.debian_mirror,
        wanted=settings.engine,
    )
    client = connect(settings.engine)
    artifacts = artifacts_of(settings)
    toolchain = Toolchain(artifacts)
    kind = settings.kind or toolchain.ensure("kind", progress)
    kubectl = settings.kubectl or toolchain.ensure("kubectl", progress)
    builder = NodeImageBuilder(client, artifacts, progress, settings.debian_mirror)
    node_image = _node_image(settings, builder)
    return Prepared(client, kind, kubectl, node_image, _version_in(node_image, settings))


def _node_image(settings: Settings, builder: NodeImageBuilder) -> str:
    if settings.node_image:
        return registry.pull(builder.client, settings.node_image, builder.progress)
    can_build = settings.kubernetes in known_versions()
    # an image that was built here serves before anybody is asked over a network
    if can_build and (found := builder.find(settings.kubernetes)):
        return found
    published = registry.published_node_image(settings.kubernetes)
    if published and registry.answers(builder.client, published):
        return registry.pull(builder.client, published, builder.progress)
    if not can_build:
        raise NodeImageError(
            f"no node image for Kubernetes {settings.kubernetes} can be pulled or built",
            hint=f"choose one of {', '.join(known_versions())} (--seatrial-kubernetes=…), or name\n"
            "an image (--seatrial-node-image=…)",
        )
    builder.progress.note("no image registry answers: building the node image here")
    return builder.build(settings.kubernetes)


def _version_in(node_image: str, settings: Settings) -> str:
    """Version by the image's tag, as `kindest/node:v1.37.0@sha256:…` has it."""
    found = re.search(r":v?(\d+\.\d+\.\d+)(?:-[^:/]*)?$", node_image.partition("@")[0])
    return found[1] if found else settings.kubernetes


def prepare_image_base(
    settings: Settings, client: docker.DockerClient, progress: Progress
) -> str | None:
    """The base image to build the application's image on, or None for the Dockerfile's own.

    Where the Dockerfile's own base cannot be pulled, one is made from Debian's packages.
    """
    if settings.image_base:
        return settings.image_base
    if PYTHON_BASE.exists(client):
        return PYTHON_BASE.reference
    if registry.answers(client, registry.PYTHON_IMAGE):
        return None
    return PYTHON_BASE.ensure(
        client, artifacts_of(settings), progress, mirror=settings.debian_mirror
    )


def prepare_buildx(settings: Settings, progress: Progress) -> Path:
    """The locked buildx, for a machine whose `docker` command has none. Raises `ToolError`."""
    return Toolchain(artifacts_of(settings)).ensure("buildx", progress)
