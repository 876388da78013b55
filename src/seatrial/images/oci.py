"""Reads an image out of a store of blobs: an OCI layout, or the engine's own.

Format: the OCI image specification (image-index.md, manifest.md, config.md). Docker's manifests of
schema 2 have the same fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from seatrial.core.errors import ImageError
from seatrial.core.model import dig
from seatrial.images.layers import MANIFEST_TYPE, Content, sha256

__all__ = ["Blobs", "Stored", "resolve"]

#: what an index says of attestations, which are no images
_NO_PLATFORM = "unknown/unknown"


class Blobs(Protocol):
    """Bytes by their digest."""

    def read(self, digest: str) -> Iterator[bytes]:
        """Raises `ImageError` if there are none of that digest."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer as a manifest describes it."""

    blobs: Blobs
    digest: str
    media_type: str
    size: int

    def read(self) -> Iterator[bytes]:
        return self.blobs.read(self.digest)


@dataclass(frozen=True)
class Stored:
    """An image of one platform in a store of blobs."""

    blobs: Blobs
    descriptor: Mapping[str, Any]
    manifest: bytes
    config: bytes

    @property
    def id(self) -> str:
        return sha256(self.config)

    @property
    def diff_ids(self) -> list[str]:
        found: list[str] = dig(_parsed(self.config), "rootfs", "diff_ids", default=[])
        return found

    @property
    def content(self) -> Content:
        layers = [
            StoredLayer(self.blobs, each["digest"], each["mediaType"], each["size"])
            for each in _parsed(self.manifest)["layers"]
        ]
        return Content(
            config=self.config,
            layers=layers,
            manifest=self.manifest,
            manifest_type=self.descriptor.get("mediaType") or MANIFEST_TYPE,
        )


def resolve(blobs: Blobs, descriptor: Mapping[str, Any], platform: Callable[[], str]) -> Stored:
    """The image that an entry of an index names; of several platforms, the one for `platform`.

    `platform` gives one as in `linux/arm64`, and is asked only where there is a choice: an image of
    one platform is taken whatever that is.
    Raises `ImageError` if there is none for `platform`, or the store is not whole.
    """
    choice = _choices(blobs, descriptor)
    if len(choice) > 1:
        named = [(each, name or _configured(blobs, each)) for each, name in choice]
        wanted = platform()
        choice = [(each, name) for each, name in named if _fits(name, wanted)]
        if not choice:
            raise ImageError(
                f"the image has nothing for the nodes, which are {wanted}",
                details=f"it has: {', '.join(name for _, name in named)}",
                hint=f"build it for them: docker build --platform={wanted} …",
            )
    if not choice:
        raise ImageError("the index names no image")
    chosen, _ = choice[0]
    manifest = _document(blobs, chosen["digest"])
    return Stored(blobs, chosen, manifest, _config(blobs, manifest))


def _choices(blobs: Blobs, descriptor: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Each manifest under `descriptor`, with its platform as far as an index tells it."""
    name = _platform(descriptor.get("platform") or {})
    if name == _NO_PLATFORM:
        return []
    document = _parsed(_document(blobs, descriptor["digest"])) if not name else {}
    if "manifests" not in document:
        return [(descriptor, name)]
    return [found for each in document["manifests"] for found in _choices(blobs, each)]


def _configured(blobs: Blobs, descriptor: Mapping[str, Any]) -> str:
    return _platform(_parsed(_config(blobs, _document(blobs, descriptor["digest"]))))


def _platform(described: Mapping[str, Any]) -> str:
    parts = (described.get("os"), described.get("architecture"), described.get("variant"))
    return "/".join(part for part in parts if part)


def _fits(name: str, platform: str) -> bool:
    # arm64 is arm64/v8, and the nodes of one machine all say the same
    return f"{name}/".startswith(f"{platform}/") or f"{platform}/".startswith(f"{name}/")


def _config(blobs: Blobs, manifest: bytes) -> bytes:
    digest = dig(_parsed(manifest), "config", "digest")
    if not digest:
        raise ImageError("the image's manifest is not one of OCI or of Docker's schema 2")
    return _document(blobs, digest)


def _parsed(document: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(document)
    except ValueError as error:
        raise ImageError("a document of the image is not JSON", details=str(error)) from error
    if not isinstance(parsed, dict):
        raise ImageError("a document of the image is not a JSON object")
    return parsed


def _document(blobs: Blobs, digest: str) -> bytes:
    """A small blob, whose bytes are proven by its digest."""
    data = b"".join(blobs.read(digest))
    if sha256(data) != digest:
        raise ImageError(f"blob {digest} has other bytes than its digest says")
    return data
