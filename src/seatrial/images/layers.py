"""An image as its configuration and layers, wherever they are read from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from seatrial.core.errors import ImageError

__all__ = [
    "CONFIG_TYPE",
    "LAYER_TYPE",
    "MANIFEST_TYPE",
    "Content",
    "Layer",
    "UnreadableError",
    "chain_ids",
    "lowest_missing",
    "sha256",
]

#: media types of the OCI image specification (media-types.md); the layers' begin with LAYER_TYPE
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


class UnreadableError(ImageError):
    """Single layers cannot be had from there; the whole image perhaps can."""


class Layer(Protocol):
    """One layer of an image."""

    @property
    def digest(self) -> str:
        """`sha256:…` of the bytes that `read` gives."""

    @property
    def media_type(self) -> str:
        """What those bytes are."""

    @property
    def size(self) -> int:
        """How many bytes `read` gives. Raises `UnreadableError`."""

    def read(self) -> Iterator[bytes]:
        """Raises `UnreadableError`."""


@dataclass(frozen=True)
class Content:
    """An image whose layers can be read one by one."""

    config: bytes
    """JSON; its SHA-256 is the image's id."""
    layers: Sequence[Layer]
    """From the lowest to the highest."""
    manifest: bytes = b""
    """As the image came with it, so that its digest stays the same; empty if it came with none."""
    manifest_type: str = MANIFEST_TYPE


def sha256(data: bytes) -> str:
    """The digest of `data` as images write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The name of each layer together with all below it, which is what its snapshot goes by.

    Rule: OCI image specification, config.md, "Layer ChainID".
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def lowest_missing(chain: Sequence[str], there: Collection[str]) -> int:
    """The number of the first layer that is not there; as many as there are if all are.

    A snapshot keeps those below it, so what is there is always the lower part.
    """
    return max((number for number, each in enumerate(chain, 1) if each in there), default=0)
