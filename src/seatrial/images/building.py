"""Builds an image, unless the one with exactly this content is there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import docker

from seatrial.core.errors import ImageError
from seatrial.core.progress import Progress, Quiet
from seatrial.core.references import Reference
from seatrial.images.base_images import ensure_bases
from seatrial.images.builder import Builder, Order
from seatrial.images.classic import ClassicBuilder
from seatrial.images.context import BuildContext
from seatrial.images.engine_image import Image, as_image, inspect
from seatrial.images.revision import revision_labels

__all__ = ["BUILD_ID", "CONTEXT_LABEL", "build"]

CONTEXT_LABEL = "seatrial.dev/context"

#: a Dockerfile that declares this build argument is given the tag in it, unless the user sets it:
#: the image then knows which build it is
BUILD_ID = "BUILD_ID"

#: labels of the OCI image specification (annotations.md); see `revision` for others
VERSION = "org.opencontainers.image.version"
BASE_NAME = "org.opencontainers.image.base.name"


def build(
    client: docker.DockerClient,
    context: BuildContext,
    repository: str,
    *,
    builder: Callable[[], Builder] | None = None,
    progress: Progress | None = None,
) -> Image:
    """The image of `context`, tagged `repository:sha-…` after its content.

    If the engine has an image of that tag, nothing is built, whoever built it. A base image is
    pulled only if it is not there. `builder` gives the one to build with, by default the engine's
    classic one, and is asked only if something is to be built.

    Raises `ImageError` with the step that failed and the last lines of its output.
    """
    progress = progress or Quiet()
    _check(repository)
    context = dataclasses.replace(context, base_ids=ensure_bases(client, context, progress))
    reference = f"{repository}:{context.tag}"
    there = inspect(client, reference)
    if there is not None and _label(there) == context.hash:
        progress.note(f"image {reference} is there already")
        return as_image(client, reference, there)
    chosen = builder() if builder else ClassicBuilder(client)
    with progress.step(f"building image {reference} with {chosen.name}") as step:
        chosen.build(_order(context, reference), step)
    built = inspect(client, reference)
    if built is None:
        raise ImageError(f"{chosen.name} built {reference}, but the engine does not have it")
    return as_image(client, reference, built)


def _check(repository: str) -> None:
    try:
        parsed = Reference.parse(repository)
    except ValueError as error:
        raise ImageError(f"an image cannot be named so: {error}") from error
    if parsed.digest or ":" in repository.rpartition("/")[2]:
        raise ImageError(
            f"an image is built under a repository, and {repository!r} has a tag or digest",
            hint="leave it out: the tag is made from the content",
        )


def _label(inspected: Mapping[str, Any]) -> str | None:
    labels = (inspected.get("Config") or {}).get("Labels") or {}
    value: str | None = labels.get(CONTEXT_LABEL)
    return value


def _order(context: BuildContext, reference: str) -> Order:
    build_args = dict(context.build_args)
    if context.takes(BUILD_ID):
        build_args.setdefault(BUILD_ID, context.tag)
    labels = {
        VERSION: context.tag,
        **({BASE_NAME: context.base} if context.base else {}),
        # they have no part in the tag: an unchanged tree is not built anew after each commit
        **revision_labels(context),
        **context.labels,
        CONTEXT_LABEL: context.hash,
    }
    return Order(context=context, reference=reference, build_args=build_args, labels=labels)
