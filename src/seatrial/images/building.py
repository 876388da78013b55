"""Builds an image, unless the one with exactly this content is there already."""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import docker

from seatrial.core.errors import ImageError
from seatrial.core.progress import Progress, Quiet, Step
from seatrial.core.references import Reference
from seatrial.images.context import BuildContext
from seatrial.images.engine_image import ENGINE_ERRORS, Image, as_image, inspect

__all__ = ["BUILD_ID", "CONTEXT_LABEL", "build"]

CONTEXT_LABEL = "seatrial.dev/context"

#: a Dockerfile that declares this build argument is given the tag in it, unless the user sets it:
#: the image then knows which build it is
BUILD_ID = "BUILD_ID"

#: lines of output that an error shows
SHOWN_LINES = 30

_STEP = re.compile(r"Step (\d+/\d+) : (.*)")


def build(
    client: docker.DockerClient,
    context: BuildContext,
    repository: str,
    *,
    progress: Progress | None = None,
) -> Image:
    """The image of `context`, tagged `repository:sha-…` after its content.

    If the engine has an image of that tag, nothing is built. A base image is pulled only if it is
    not there. The classic builder of the engine is used, which needs no buildx.

    Raises `ImageError` with the step that failed and the last lines of its output.
    """
    progress = progress or Quiet()
    _check(repository)
    base_ids = tuple(_base_id(client, base, context, progress) for base in context.bases)
    context = dataclasses.replace(context, base_ids=base_ids)
    reference = f"{repository}:{context.tag}"
    there = inspect(client, reference)
    if there is not None and _label(there) == context.hash:
        progress.note(f"image {reference} is there already")
        return as_image(client, reference, there)
    with progress.step(f"building image {reference}") as step:
        _run(client, context, reference, step)
    built = inspect(client, reference)
    if built is None:
        raise ImageError(f"the engine built {reference}, but does not have it")
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


def _base_id(
    client: docker.DockerClient, base: str, context: BuildContext, progress: Progress
) -> str:
    there = inspect(client, base)
    if there is None:
        with progress.step(f"pulling base image {base}") as step:
            _pull(client, base, context.platform, step)
        there = inspect(client, base)
    if there is None:
        raise ImageError(f"the engine pulled {base}, but does not have it")
    return str(there["Id"])


def _pull(client: docker.DockerClient, base: str, platform: str, step: Step) -> None:
    try:
        reference = Reference.parse(base)
        # the SDK takes a digest in place of the tag
        for entry in client.api.pull(
            reference.repository,
            tag=reference.digest or reference.tag,
            stream=True,
            decode=True,
            platform=platform or None,
        ):
            if "error" in entry:
                raise _unpullable(base, str(entry["error"]))
            parts = (entry.get("id"), entry.get("status"), entry.get("progress"))
            step.line(" ".join(str(part) for part in parts if part))
    except (ValueError, *ENGINE_ERRORS) as error:
        raise _unpullable(base, str(error)) from error


def _unpullable(base: str, because: str) -> ImageError:
    return ImageError(
        f"base image {base} is not there and cannot be pulled",
        details=because,
        hint="where no registry can be reached, `seatrial setup` makes a base image from Debian's\n"
        "packages; another one is named with --seatrial-image-base",
    )


def _run(client: docker.DockerClient, context: BuildContext, reference: str, step: Step) -> None:
    build_args = dict(context.build_args)
    if context.takes(BUILD_ID):
        build_args.setdefault(BUILD_ID, context.tag)
    labels = {
        "org.opencontainers.image.version": context.tag,
        **context.labels,
        CONTEXT_LABEL: context.hash,
    }
    if context.bases:
        labels.setdefault("org.opencontainers.image.base.name", context.bases[-1])
    output = _Output(step)
    with context.tar() as archive:
        try:
            output.read(
                client.api.build(
                    fileobj=archive,
                    custom_context=True,
                    dockerfile=context.dockerfile,
                    tag=reference,
                    buildargs=build_args,
                    target=context.target or None,
                    labels=labels,
                    platform=context.platform or None,
                    rm=True,
                    forcerm=True,
                    decode=True,
                )
            )
        except ENGINE_ERRORS as error:
            raise output.failure(reference, str(error)) from error
    if output.error:
        raise output.failure(reference, output.error)


class _Output:
    """What a build prints: the last lines of it, its step, and the error it ended with."""

    def __init__(self, step: Step) -> None:
        self.error = ""
        self._step = step
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self._at = ""
        self._rest = ""

    def read(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for entry in entries:
            if "error" in entry:
                self.error = str(entry["error"])
            elif "stream" in entry:
                # a line may come in pieces
                *whole, self._rest = (self._rest + str(entry["stream"])).split("\n")
                for line in whole:
                    self._line(line.rstrip())
        self._line(self._rest.rstrip())

    def _line(self, line: str) -> None:
        if not line:
            return
        if match := _STEP.fullmatch(line):
            self._at = f"step {match[1]}, {match[2].strip()}"
        self._lines.append(line)
        self._step.line(line)

    def failure(self, reference: str, because: str) -> ImageError:
        where = f" at {self._at}" if self._at else ""
        lines = [*self._lines, because]
        return ImageError(
            f"image {reference} cannot be built: it failed{where}",
            details="\n".join(lines),
            hint=_hint("\n".join(lines)),
        )


def _hint(output: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in output or "unknown authority" in output:
        return (
            "the build does not trust the certificate it was shown; name a PEM file of the\n"
            "authorities that your network needs: --seatrial-extra-ca=FILE"
        )
    if "no space left on device" in output.lower():
        return "the disk of the engine is full: docker system df, docker image prune"
    return ""
