"""An image as the engine has it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors

from seatrial.core.errors import ImageError
from seatrial.images.engine_blobs import keeps_blobs, stored
from seatrial.images.engine_files import ENGINE_ERRORS, Chunks
from seatrial.images.layers import UnreadableError

__all__ = ["ENGINE_ERRORS", "Image", "find", "inspect"]


@dataclass(frozen=True)
class Image:
    """An image that the engine has."""

    reference: str
    """Repository and tag: `flask:sha-0123456789abcdef`."""
    id: str
    """`sha256:…` of its configuration: what a node calls it, and a pod's `imageID`."""
    digest: str | None
    """`repository@sha256:…` of its manifest, if it was pulled or pushed."""
    size: int
    """Bytes, unpacked."""

    def __str__(self) -> str:
        return self.reference


def find(client: docker.DockerClient, reference: str) -> Image:
    """An image that is there already. Raises `ImageError` if it is not."""
    inspected = inspect(client, reference)
    if inspected is None:
        raise ImageError(
            f"the engine has no image {reference}", hint=f"docker pull {reference}, or build it"
        )
    return as_image(client, reference, inspected)


def inspect(client: docker.DockerClient, reference: str) -> Mapping[str, Any] | None:
    """What the engine says of an image; None if it has none of that name."""
    try:
        found: Mapping[str, Any] = client.api.inspect_image(reference)  # type: ignore[no-untyped-call]  # so are its stubs
    except docker.errors.ImageNotFound:
        return None
    except ENGINE_ERRORS as error:
        raise ImageError(f"the engine cannot look up {reference}", details=str(error)) from error
    return found


def as_image(client: docker.DockerClient, reference: str, inspected: Mapping[str, Any]) -> Image:
    """The image that `inspect` described."""
    digests = inspected.get("RepoDigests") or []
    # nodes and pods call an image by its configuration, as most engines do
    by_manifest = keeps_blobs(client, inspected)
    return Image(
        reference=reference,
        id=_configuration_digest(client, reference, inspected) if by_manifest else inspected["Id"],
        digest=digests[0] if digests else None,
        size=int(inspected.get("Size") or 0),
    )


def _configuration_digest(
    client: docker.DockerClient, reference: str, inspected: Mapping[str, Any]
) -> str:
    try:
        with stored(client, inspected) as image:
            return image.id
    except UnreadableError:
        return _saved_configuration_digest(client, reference)


def _saved_configuration_digest(client: docker.DockerClient, reference: str) -> str:
    try:
        with tarfile.open(
            fileobj=io.BufferedReader(Chunks(client.api.get_image(reference))), mode="r|"
        ) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name == "manifest.json" else None
                if content is not None:
                    path = str(json.load(content)[0]["Config"])
                    # "blobs/sha256/HEX"; engines before 25 wrote "HEX.json"
                    return f"sha256:{path.rpartition('/')[2].removesuffix('.json')}"
    except (*ENGINE_ERRORS, tarfile.TarError) as error:
        raise ImageError(f"the engine cannot save {reference}", details=str(error)) from error
    raise ImageError(f"the engine saved {reference} without a manifest.json")
