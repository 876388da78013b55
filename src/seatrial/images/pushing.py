"""Pushes an image to a registry, for clusters whose nodes are not ours to send anything to.

The engine does it, which has the credentials of `docker login` and leaves out the layers that the
registry has. What is handed on is the name by digest: nobody can put another image in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker

from seatrial.core.errors import ImageError
from seatrial.core.model import dig
from seatrial.core.progress import Progress, Quiet, Step
from seatrial.core.references import Reference
from seatrial.images.engine_files import ENGINE_ERRORS
from seatrial.images.engine_image import Image, inspect

__all__ = ["Pushed", "push"]

_HUB_FOLDER = "library/"
#: what an engine says of a layer that it did not have to send, in the words of the Engine API
_THERE = ("Layer already exists", "Mounted from")
_SENT = "Pushed"


@dataclass(frozen=True)
class Pushed:
    """What pushing an image took."""

    image: Image
    """Under the name that nodes pull: `registry.example/team/flask@sha256:…`."""
    sent: int
    """Layers that the registry lacked."""
    there: int
    """Layers that it had."""


def push(
    client: docker.DockerClient,
    image: Image,
    place: str,
    *,
    pulled_from: str = "",
    progress: Progress | None = None,
) -> Pushed:
    """Push an image of the engine to `place` (`registry.example:5000/team`).

    Its repository there is the image's own name below `place`. `pulled_from` is what the nodes call
    `place`, where that is another name. The engine keeps the image under its new name as well.

    Raises `ImageError` if the registry does not take it.
    """
    name = Reference.parse(image.reference)
    path = name.path.removeprefix(_HUB_FOLDER)
    target = f"{place}/{path}"
    # an image that is known by its digest alone is given a tag to travel under
    tag = name.tag or f"sha-{image.id.rpartition(':')[2][:16]}"
    progress = progress or Quiet()
    with progress.step(f"pushing image {image} to {target}") as step:
        try:
            client.api.tag(image.reference, target, tag, force=True)
            digest, sent, there = _push(client, target, tag, step)
        except ENGINE_ERRORS as error:
            raise _refused(image, target, str(error)) from error
    progress.note(f"{sent} of its {sent + there} layers were not there yet")
    if not digest:
        raise ImageError(
            f"the engine does not say by what digest {target}:{tag} is known in the registry"
        )
    pinned = f"{pulled_from or place}/{path}@{digest}"
    return Pushed(Image(pinned, image.id, pinned, image.size), sent, there)


def _push(client: docker.DockerClient, target: str, tag: str, step: Step) -> tuple[str, int, int]:
    """The digest of what was pushed, and how many layers were sent, and were there."""
    layers: dict[str, str] = {}
    digest = ""
    entries = client.api.push(target, tag, stream=True, decode=True)
    for entry in entries:
        if "error" in entry:
            raise _refused(f"{target}:{tag}", target, str(entry["error"]))
        digest = dig(entry, "aux", "Digest", default=digest)
        status = str(entry.get("status", ""))
        if "id" in entry and status.startswith((_SENT, *_THERE)):
            layers[entry["id"]] = status
            step.line(f"{entry['id']}: {status}")
    sent = sum(status.startswith(_SENT) for status in layers.values())
    return digest or _known_digest(client, target, tag), sent, len(layers) - sent


def _known_digest(client: docker.DockerClient, target: str, tag: str) -> str:
    """Of an engine that tells no digest while it pushes."""
    described: Mapping[str, Any] = inspect(client, f"{target}:{tag}") or {}
    for known in described.get("RepoDigests") or ():
        repository, _, digest = str(known).partition("@")
        if repository == target:
            return digest
    return ""


def _refused(image: object, target: str, said: str) -> ImageError:
    registry = target.partition("/")[0]
    return ImageError(
        f"image {image} could not be pushed to {target}",
        details=said,
        hint=f"if it asks for a login: docker login {registry};\n"
        "if it speaks plain HTTP, the engine needs it among its insecure-registries",
    )
