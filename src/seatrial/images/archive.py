"""Images in files: what `docker save` writes, and OCI layouts, as a tar or as a folder.

Formats: the OCI image specification (image-layout.md); Docker's image specification v1.2, whose
`manifest.json` names a configuration and layers by their path. A tar may be gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

from seatrial.core.errors import ImageError
from seatrial.core.model import dig
from seatrial.core.references import Reference
from seatrial.images import partial
from seatrial.images.engine_files import chunks_of
from seatrial.images.engine_image import Image
from seatrial.images.layers import LAYER_TYPE, Content, sha256
from seatrial.images.oci import resolve

__all__ = ["ArchiveSource", "archive_sources"]

_GZIP = b"\x1f\x8b"
_INDEX = "index.json"
_DOCKER = "manifest.json"
#: where builders put an image's name; the second may be a bare tag
_NAME = "io.containerd.image.name"
_REF = "org.opencontainers.image.ref.name"


@contextmanager
def archive_sources(
    path: Path, platform: Callable[[], str], reference: str = ""
) -> Iterator[Sequence[ArchiveSource]]:
    """The images in an archive or a folder, each under its name, as long as the context lasts.

    `platform` tells what the nodes run (`linux/amd64`), and is asked only where an image is there
    for several. `reference` chooses one of several images, or gives a name to the only one.

    Raises `ImageError` if the file is no such archive, is not whole, or has no such image.
    """
    with ExitStack() as opened:
        files = _Folder(path) if path.is_dir() else opened.enter_context(_opened_tar(path))
        if files.has(_INDEX):
            found = list(_of_layout(files, platform))
        elif files.has(_DOCKER):
            found = list(_of_docker(files))
        else:
            raise ImageError(
                f"{path} holds no images: it has neither {_INDEX} nor {_DOCKER}",
                hint="docker save NAME > image.tar makes one that does",
            )
        yield _chosen(path, found, reference)


@dataclass(frozen=True)
class ArchiveSource:
    """One image of an archive, under one of its names."""

    image: Image
    diff_ids: Sequence[str]
    content: Content

    @contextmanager
    def open(self, wanted: Collection[int]) -> Iterator[Content]:  # noqa: ARG002 - all are at hand
        """The image."""
        yield self.content

    def whole(self) -> Iterator[bytes]:
        """An archive with this image alone."""
        yield partial.head(self.content, self.image.reference)
        for layer in self.content.layers:
            yield from partial.layer_entry(layer)
        yield partial.END


def _chosen(path: Path, found: Sequence[ArchiveSource], reference: str) -> list[ArchiveSource]:
    if not found:
        raise ImageError(f"{path} holds no images: its list of them is empty")
    names = [each.image.reference for each in found]
    if not reference:
        if not all(names):
            raise ImageError(
                f"{path} holds an image without a name",
                hint="give it one: load_image(path, reference='flask:dev')",
            )
        return list(found)
    same = [each for each in found if _same(each.image.reference, reference)]
    # several names of one image are one image
    if not same and len({each.image.id for each in found}) != 1:
        raise ImageError(
            f"{path} holds no image {reference}", details="\n".join(filter(None, names))
        )
    chosen = (same or found)[0]
    return [replace(chosen, image=replace(chosen.image, reference=reference))]


def _same(one: str, other: str) -> bool:
    return bool(one) and Reference.parse(one) == Reference.parse(other)


def _of_layout(files: _Files, platform: Callable[[], str]) -> Iterator[ArchiveSource]:
    index = _json(b"".join(_read(files, _INDEX)))
    blobs = _Blobs(files)
    for descriptor in dig(index, "manifests", default=[]):
        stored = resolve(blobs, descriptor, platform)
        yield _source(_name(descriptor), stored.content, stored.diff_ids)


def _name(descriptor: Mapping[str, Any]) -> str:
    notes = descriptor.get("annotations") or {}
    given, ref = str(notes.get(_NAME, "")), str(notes.get(_REF, ""))
    # a bare tag does not say of which repository
    return given or (ref if re.search("[:/]", ref) else "")


def _of_docker(files: _Files) -> Iterator[ArchiveSource]:
    for entry in _json(b"".join(_read(files, _DOCKER))):
        config = b"".join(_read(files, entry["Config"]))
        diff_ids = dig(_json(config), "rootfs", "diff_ids", default=[])
        layers = [
            _DockerLayer(files, name, diff_id)
            for name, diff_id in zip(entry["Layers"], diff_ids, strict=True)
        ]
        for name in entry.get("RepoTags") or [""]:
            yield _source(name, Content(config, layers), diff_ids)


def _source(name: str, content: Content, diff_ids: Sequence[str]) -> ArchiveSource:
    size = sum(layer.size for layer in content.layers)
    return ArchiveSource(Image(name, sha256(content.config), None, size), diff_ids, content)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise ImageError("an image's archive has broken JSON", details=str(error)) from error


class _Files(Protocol):
    """Files by their path, in a tar or a folder."""

    def has(self, name: str) -> bool: ...

    def open(self, name: str) -> IO[bytes]:
        """Raises `ImageError` if there is none of that name."""


def _read(files: _Files, name: str) -> Iterator[bytes]:
    with files.open(name) as content:
        yield from chunks_of(content)


@dataclass(frozen=True)
class _Folder:
    path: Path

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        place = (self.path / name).resolve()
        try:
            # a name that leads out of the folder is no name of an image's file
            place.relative_to(self.path.resolve())
            return place.open("rb")
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.path} is not whole: it lacks {name}") from error


class _Tar:
    def __init__(self, path: Path, archive: tarfile.TarFile) -> None:
        self._path = path
        self._archive = archive
        self._members = {posixpath.normpath(each.name): each for each in archive.getmembers()}

    def has(self, name: str) -> bool:
        return name in self._members

    def open(self, name: str) -> IO[bytes]:
        try:
            # `docker save` of old wrote a layer once, and links to it
            content = self._archive.extractfile(self._members[name])
        except KeyError:
            content = None
        if content is None:
            raise ImageError(f"{self._path} is not whole: it lacks {name}")
        return content


@contextmanager
def _opened_tar(path: Path) -> Iterator[_Tar]:
    with ExitStack() as opened:
        try:
            file: IO[bytes] = opened.enter_context(path.open("rb"))
            if file.read(len(_GZIP)) == _GZIP:
                # unpacked at once: layers are read in another order than they are in
                unpacked = opened.enter_context(tempfile.TemporaryFile())
                with gzip.open(path) as compressed:
                    shutil.copyfileobj(compressed, unpacked)
                file = unpacked
            file.seek(0)
            files = _Tar(path, opened.enter_context(tarfile.open(fileobj=file, mode="r:")))
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise ImageError(f"{path} is no archive of images", details=str(error)) from error
        yield files


@dataclass(frozen=True)
class _Blobs:
    files: _Files

    def read(self, digest: str) -> Iterator[bytes]:
        return _read(self.files, f"blobs/{digest.replace(':', '/')}")


@dataclass(frozen=True)
class _DockerLayer:
    """A layer by its path; mostly a tar as it is, but some tools compress it."""

    files: _Files
    name: str
    diff_id: str

    @property
    def digest(self) -> str:
        return self._measured[0]

    @property
    def media_type(self) -> str:
        return f"{LAYER_TYPE}+gzip" if self._compressed else LAYER_TYPE

    @property
    def size(self) -> int:
        return self._measured[1]

    def read(self) -> Iterator[bytes]:
        return _read(self.files, self.name)

    @cached_property
    def _compressed(self) -> bool:
        with self.files.open(self.name) as content:
            return content.read(len(_GZIP)) == _GZIP

    @cached_property
    def _measured(self) -> tuple[str, int]:
        if not self._compressed:
            with self.files.open(self.name) as content:
                return self.diff_id, content.seek(0, io.SEEK_END)
        digest, size = hashlib.sha256(), 0
        for chunk in self.read():
            digest.update(chunk)
            size += len(chunk)
        return f"sha256:{digest.hexdigest()}", size
