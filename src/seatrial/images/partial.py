"""Writes an image as an archive that lacks the layers its receiver has.

An OCI layout in a tar, as `ctr images import` takes it. containerd looks for a layer's bytes only
where it has no snapshot of that layer: so the archive need not hold the others. That holds for both
of its ways to import, its client's own (up to 1.7) and the transfer service (since 2.0).
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import Any

from seatrial.core.references import Reference
from seatrial.images.layers import CONFIG_TYPE, MANIFEST_TYPE, Content, Layer, sha256

__all__ = ["END", "entry_size", "head", "layer_entry"]

#: two empty blocks end a tar
END = bytes(2 * tarfile.BLOCKSIZE)

_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


def head(content: Content, reference: str) -> bytes:
    """All of the archive but the layers and its end."""
    manifest = content.manifest or _manifest(content)
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX_TYPE,
        "manifests": [
            {
                **_descriptor(content.manifest_type, manifest),
                # the full name is the one that the kubelet asks for
                "annotations": {"io.containerd.image.name": str(Reference.parse(reference))},
            }
        ],
    }
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": _json(index),
        _path(sha256(manifest)): manifest,
        _path(sha256(content.config)): content.config,
    }
    return b"".join(_entry(name, data) for name, data in files.items())


def layer_entry(layer: Layer) -> Iterator[bytes]:
    """A layer in the archive."""
    yield _header(_path(layer.digest), layer.size)
    yield from layer.read()
    yield bytes(-layer.size % tarfile.BLOCKSIZE)


def entry_size(layer: Layer) -> int:
    """Bytes that a layer takes in the archive."""
    header = _header(_path(layer.digest), layer.size)
    return len(header) + layer.size + -layer.size % tarfile.BLOCKSIZE


def _manifest(content: Content) -> bytes:
    layers = [
        {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
        for layer in content.layers
    ]
    config = _descriptor(CONFIG_TYPE, content.config)
    return _json(
        {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers}
    )


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _entry(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    # a layer above 8 GiB has its size in a way that containerd's tar reader knows
    return info.tobuf(tarfile.GNU_FORMAT)
