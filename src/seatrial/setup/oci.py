"""Writes an OCI image layout with several images that share their layers.

Format: https://github.com/opencontainers/image-spec (image-layout.md, manifest.md, config.md).
containerd takes the name of an image from the annotation `io.containerd.image.name`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ImageSpec", "Layer", "write_archive"]

_SPEC = "application/vnd.oci.image"


@dataclass(frozen=True)
class Layer:
    """One layer: an uncompressed tar on disk, and its digest."""

    tar: Path
    digest: str

    @classmethod
    def of_files(cls, tar: Path, files: Mapping[str, Path], links: Mapping[str, str]) -> Layer:
        """Write `tar` with executables (path in the image → file) and symbolic links."""
        with tarfile.open(tar, "w") as archive:
            folders = {str(parent) for name in (*files, *links) for parent in Path(name).parents}
            for folder in sorted(folders - {"."}):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            for name, source in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.mode, entry.size = 0o755, source.stat().st_size
                with source.open("rb") as content:
                    archive.addfile(entry, content)
            for name, target in sorted(links.items()):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
                archive.addfile(entry)
        return cls.of_tar(tar)

    @classmethod
    def of_tar(cls, tar: Path) -> Layer:
        with tar.open("rb") as content:
            digest = hashlib.sha256()
            while chunk := content.read(1 << 20):
                digest.update(chunk)
        return cls(tar, f"sha256:{digest.hexdigest()}")


@dataclass(frozen=True)
class ImageSpec:
    """One image of an archive."""

    names: tuple[str, ...]
    """Full references, registry and tag included."""
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    user: str = ""


def write_archive(place: Path, images: Sequence[ImageSpec], *, architecture: str) -> None:
    """Write a tar that `ctr images import` takes; a layer that images share is in it once."""
    manifests: list[dict[str, Any]] = []
    blobs: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}

    def blob(document: object) -> tuple[str, int]:
        data = json.dumps(document, sort_keys=True).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        blobs[digest] = data
        return digest, len(data)

    for image in images:
        layers.update({layer.digest: layer for layer in image.layers})
        config, config_size = blob(_config(image, architecture))
        manifest, manifest_size = blob(
            {
                "schemaVersion": 2,
                "mediaType": f"{_SPEC}.manifest.v1+json",
                "config": {
                    "mediaType": f"{_SPEC}.config.v1+json",
                    "digest": config,
                    "size": config_size,
                },
                "layers": [
                    {
                        "mediaType": f"{_SPEC}.layer.v1.tar",
                        "digest": layer.digest,
                        "size": layer.tar.stat().st_size,
                    }
                    for layer in image.layers
                ],
            }
        )
        manifests += [
            {
                "mediaType": f"{_SPEC}.manifest.v1+json",
                "digest": manifest,
                "size": manifest_size,
                "annotations": {"io.containerd.image.name": name},
            }
            for name in image.names
        ]
    index = {"schemaVersion": 2, "mediaType": f"{_SPEC}.index.v1+json", "manifests": manifests}
    with tarfile.open(place, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", json.dumps(index).encode())
        for digest, data in blobs.items():
            _add(archive, _blob_path(digest), data)
        for digest, layer in layers.items():
            archive.add(layer.tar, _blob_path(digest))


def _config(image: ImageSpec, architecture: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"Env": [f"PATH={':'.join(_search_path())}"]}
    if image.entrypoint:
        settings["Entrypoint"] = list(image.entrypoint)
    if image.user:
        settings["User"] = image.user
    return {
        "architecture": architecture,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
    }


def _search_path() -> Iterable[str]:
    return ("/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
