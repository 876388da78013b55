"""Reads single layers of an image out of the Docker engine.

An engine keeps images in one of two ways, and each has its own files for what is wanted:

- unpacked, one folder per layer, with notes of how to make its tar again (storage driver overlay2);
- as they came from a registry or a build, in containerd's store of blobs (the default of newly
  installed engines since 29).

Where the engine keeps them otherwise (podman, btrfs, vfs), it has to save the whole image, into a
file here; the nodes are still sent only what they lack.
"""

from __future__ import annotations

import posixpath
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import docker

from seatrial.core.errors import ImageError
from seatrial.core.model import dig
from seatrial.core.processes import temporary_prefix
from seatrial.core.progress import Progress, Quiet
from seatrial.images import tar_split
from seatrial.images.archive import archive_sources
from seatrial.images.engine_blobs import keeps_blobs, platform_in, stored
from seatrial.images.engine_files import ENGINE_ERRORS, EngineFiles, engine_files, engine_info
from seatrial.images.engine_image import Image, inspect
from seatrial.images.layers import LAYER_TYPE, Content, UnreadableError, chain_ids, sha256

__all__ = ["EngineSource"]

#: storage drivers that keep each layer in a folder
_UNPACKING = ("overlay2", "fuse-overlayfs")


class EngineSource:
    """An image in the engine, as a source of its layers."""

    def __init__(
        self, client: docker.DockerClient, image: Image, progress: Progress | None = None
    ) -> None:
        self.image = image
        self._client = client
        self._progress = progress or Quiet()

    @cached_property
    def diff_ids(self) -> Sequence[str]:
        layers: Sequence[str] = dig(self._inspected, "RootFS", "Layers", default=[])
        return layers

    @cached_property
    def _inspected(self) -> Mapping[str, Any]:
        # a name may be another image's by now, but an engine with blobs does not know the id
        for name in (self.image.id, self.image.reference):
            inspected = inspect(self._client, name)
            if inspected is not None:
                return inspected
        raise UnreadableError(f"the engine has no image {self.image} any more")

    @contextmanager
    def open(self, wanted: Collection[int]) -> Iterator[Content]:
        """The image; layers whose number is not in `wanted` cannot be read."""
        with ExitStack() as opened:
            try:
                content = opened.enter_context(self._single_layers(wanted))
            except UnreadableError as error:
                content = opened.enter_context(self._saved(error))
            if sha256(content.config) != self.image.id:
                raise UnreadableError(f"the engine has another image as {self.image} by now")
            yield content

    def _single_layers(self, wanted: Collection[int]) -> AbstractContextManager[Content]:
        if keeps_blobs(self._client, self._inspected):
            return self._blobs()
        return self._unpacked(wanted)

    @contextmanager
    def _blobs(self) -> Iterator[Content]:
        with stored(self._client, self._inspected) as found:
            yield found.content

    @contextmanager
    def _saved(self, because: UnreadableError) -> Iterator[Content]:
        """All of the image, out of a file. Raises `because` if the engine does not save it well."""
        reference, described = self.image.reference, self._inspected
        with tempfile.NamedTemporaryFile(prefix=temporary_prefix(), suffix=".tar") as file:
            with self._progress.step(f"saving image {self.image}: {because.cause}"):
                file.writelines(self.whole())
                file.flush()
            with ExitStack() as opened:
                try:
                    (found,) = opened.enter_context(
                        archive_sources(Path(file.name), lambda: platform_in(described), reference)
                    )
                except ImageError as error:
                    raise because from error
                yield found.content

    def whole(self) -> Iterator[bytes]:
        """What `docker save` gives."""
        try:
            yield from self._client.api.get_image(self.image.reference)
        except ENGINE_ERRORS as error:
            raise ImageError(f"the engine cannot save {self.image}", details=str(error)) from error

    @contextmanager
    def _unpacked(self, wanted: Collection[int]) -> Iterator[Content]:
        graph = dig(self._inspected, "GraphDriver", default={})
        driver, folders = str(graph.get("Name", "")), graph.get("Data") or {}
        lower = str(folders.get("LowerDir", "")).split(":")
        # the highest comes first
        trees = [each for each in (folders.get("UpperDir"), *lower) if each][::-1]
        if driver not in _UNPACKING or len(trees) != len(self.diff_ids):
            raise UnreadableError(f"the engine keeps layers in a way of its own ({driver})")
        root = posixpath.join(engine_info(self._client).get("DockerRootDir", ""), "image", driver)
        notes = posixpath.join(root, "layerdb/sha256")
        # the configuration, each layer's notes, and the files of those that are to be read
        shown = [posixpath.join(root, "imagedb/content/sha256", _hex(self.image.id))]
        shown += [posixpath.join(notes, _hex(each)) for each in chain_ids(self.diff_ids)]
        numbers = {layer: len(shown) + place for place, layer in enumerate(sorted(wanted))}
        shown += [trees[layer] for layer in numbers]
        with engine_files(self._client, self.image.id, shown) as files:
            yield Content(
                config=b"".join(files.read(0)),
                layers=[
                    _UnpackedLayer(files, diff_id, number, numbers.get(number - 1))
                    for number, diff_id in enumerate(self.diff_ids, 1)
                ],
            )


def _hex(digest: str) -> str:
    return digest.rpartition(":")[2]


@dataclass(frozen=True)
class _UnpackedLayer:
    """A layer whose tar is put together again; its digest is the one of the tar as it was."""

    files: EngineFiles
    digest: str
    notes: int
    """Number of the folder with its notes."""
    tree: int | None
    """Number of the folder with its files, if they are wanted."""
    media_type: str = LAYER_TYPE

    @cached_property
    def size(self) -> int:
        with _readable():
            return tar_split.size(self._notes)

    def read(self) -> Iterator[bytes]:
        if self.tree is None:
            raise UnreadableError(f"layer {self.digest} was not asked for")
        with _readable(), self.files.tree(self.tree) as tree:
            yield from tar_split.assemble(self._notes, lambda entry: tree.content(entry.name))

    @cached_property
    def _notes(self) -> bytes:
        return b"".join(self.files.read(self.notes, "tar-split.json.gz"))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
        raise UnreadableError(
            "the engine's notes of a layer are unreadable", details=str(error)
        ) from error
