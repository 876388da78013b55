"""Reads files of the Docker engine's own store, which its API has no word for.

The engine gives an image only as a whole (`docker save`), and reads all of it before the first byte
comes. A container can be shown a folder of the engine's machine, though, and the engine hands out
files of a container that was never started. So nothing runs, nothing is written, no right is needed
that a user of the engine does not have, and the engine may be on another machine. What is shown is
read-only, and no more than the folders that are asked for.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

import docker
import docker.errors
import docker.types
import requests
import urllib3

from seatrial.core.processes import OWNER_LABEL, ProcessId
from seatrial.images.layers import UnreadableError

__all__ = [
    "ENGINE_ERRORS",
    "READER_LABEL",
    "Chunks",
    "EngineFiles",
    "Tree",
    "engine_files",
    "engine_info",
]

#: what the docker SDK raises; the last two come out of an answer that is still being read
ENGINE_ERRORS = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)

#: on each container that is made to read files, so that one that was left behind is known
READER_LABEL = "seatrial.dev/reads-layers"

#: bytes that are read at once
CHUNK = 1 << 18


def engine_info(client: docker.DockerClient) -> Mapping[str, Any]:
    """How the engine is set up. Raises `UnreadableError`."""
    try:
        info: Mapping[str, Any] = client.api.info()
    except ENGINE_ERRORS as error:
        raise UnreadableError(
            "the engine does not say how it is set up", details=str(error)
        ) from error
    return info


@contextmanager
def engine_files(
    client: docker.DockerClient, image: str, folders: Sequence[str]
) -> Iterator[EngineFiles]:
    """Show folders or files of the engine's machine, by a container of `image` that never runs.

    Raises `UnreadableError`, as where a folder is not there or the engine forbids it.
    """
    try:
        container = client.api.create_container(
            image,
            command=["never-started"],
            labels={READER_LABEL: "", OWNER_LABEL: ProcessId.mine().label},
            network_disabled=True,
            host_config=client.api.create_host_config(
                mounts=[
                    docker.types.Mount(_target(number), folder, type="bind", read_only=True)
                    for number, folder in enumerate(folders)
                ]
            ),
        )["Id"]
    except ENGINE_ERRORS as error:
        raise UnreadableError("the engine does not show its store", details=str(error)) from error
    try:
        yield EngineFiles(client, container)
    finally:
        # one that stays does no harm, and what was read is good
        with suppress(*ENGINE_ERRORS):
            client.api.remove_container(container, v=True, force=True)


def _target(number: int) -> str:
    return f"/.seatrial/{number}"


class EngineFiles:
    """The folders that are shown, by their number."""

    def __init__(self, client: docker.DockerClient, container: str) -> None:
        self._client = client
        self._container = container

    def read(self, folder: int, path: str = "") -> Iterator[bytes]:
        """The content of a file; of what is shown itself, if `path` is empty.

        Raises `UnreadableError`.
        """
        with self._archive(folder, path) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member else None
            if content is None:
                raise UnreadableError(f"{path} in the engine's store is no file")
            yield from chunks_of(content)

    @contextmanager
    def tree(self, folder: int) -> Iterator[Tree]:
        """The files of a folder, read once from the first to the last."""
        with self._archive(folder) as archive, tempfile.TemporaryFile() as kept:
            yield Tree(archive, kept, lambda path: self.read(folder, path))

    @contextmanager
    def _archive(self, folder: int, path: str = "") -> Iterator[tarfile.TarFile]:
        place = f"{_target(folder)}/{path}".rstrip("/")
        try:
            stream, _ = self._client.api.get_archive(self._container, place, chunk_size=CHUNK)
            with tarfile.open(
                fileobj=io.BufferedReader(Chunks(stream), CHUNK), mode="r|", bufsize=CHUNK // 4
            ) as archive:
                yield archive
        except (*ENGINE_ERRORS, tarfile.TarError) as error:
            raise UnreadableError("the engine's store is unreadable", details=str(error)) from error


class Tree:
    """The files of one folder, which come in the engine's order and are asked for in another."""

    def __init__(
        self,
        coming: tarfile.TarFile,
        kept: IO[bytes],
        again: Callable[[str], Iterator[bytes]],
    ) -> None:
        self._coming = coming
        self._kept = kept
        self._again = again
        #: files that came before they were asked for: where they begin in `kept`, and their size
        self._early: dict[str, tuple[int, int]] = {}

    def content(self, name: str) -> Iterator[bytes]:
        """The content of the file of that name. Raises `UnreadableError`."""
        wanted = posixpath.normpath(name)
        while wanted not in self._early and (member := self._coming.next()):
            content = self._coming.extractfile(member) if member.isreg() else None
            # the folder's own name comes first
            found = member.name.partition("/")[2]
            if content is not None and found == wanted:
                yield from chunks_of(content)
                return
            if content is not None:
                self._early[found] = (self._kept.seek(0, io.SEEK_END), member.size)
                self._kept.writelines(chunks_of(content))
        if wanted in self._early:
            place, size = self._early.pop(wanted)
            self._kept.seek(place)
            yield from chunks_of(self._kept, size)
        else:
            # a second name of a file: the engine sends the content with the first one alone
            yield from self._again(wanted)


def chunks_of(content: IO[bytes], size: int = -1) -> Iterator[bytes]:
    """The next `size` bytes of a file, or all that are left, in pieces."""
    while chunk := content.read(CHUNK if size < 0 else min(CHUNK, size)):
        size -= len(chunk) if size > 0 else 0
        yield chunk


class Chunks(io.RawIOBase):
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
