"""The images that a build starts from: there before it begins, so that the tag can count them."""

from __future__ import annotations

import docker

from seatrial.core.errors import ImageError
from seatrial.core.progress import Progress, Step
from seatrial.core.references import Reference
from seatrial.images.context import BuildContext
from seatrial.images.engine_image import ENGINE_ERRORS, inspect

__all__ = ["ensure_bases"]


def ensure_bases(
    client: docker.DockerClient, context: BuildContext, progress: Progress
) -> tuple[str, ...]:
    """The ids of the base images, of which those that the engine lacks are pulled.

    Raises `ImageError` for one that cannot be pulled.
    """
    return tuple(_id_of(client, base, context, progress) for base in context.images)


def _id_of(
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
