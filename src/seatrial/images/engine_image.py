"""An image as the engine has it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import requests
import urllib3

from seatrial.core.errors import ImageError

__all__ = ["ENGINE_ERRORS", "Image", "find", "inspect"]

#: what the docker SDK raises; the last two come out of an answer that is still being read
ENGINE_ERRORS = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)


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
    # an engine that keeps its images in containerd calls them by their manifest, and only such an
    # engine gives a Descriptor (Engine API 1.48); nodes and pods call them by their configuration
    in_containerd = bool(inspected.get("Descriptor"))
    return Image(
        reference=reference,
        id=_configuration_digest(client, reference) if in_containerd else inspected["Id"],
        digest=digests[0] if digests else None,
        size=int(inspected.get("Size") or 0),
    )


def _configuration_digest(client: docker.DockerClient, reference: str) -> str:
    try:
        with tarfile.open(
            fileobj=io.BufferedReader(_Chunks(client.api.get_image(reference))), mode="r|"
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


class _Chunks(io.RawIOBase):
    """Chunks of bytes, read like a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # 0 bytes would mean the end: an empty chunk is passed over
        self._rest = self._rest or next(filter(None, self._chunks), b"")
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
