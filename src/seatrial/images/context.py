"""What an image is built from, and a tag that names exactly that."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from seatrial.core.errors import ImageError
from seatrial.images import dockerfile as parsed
from seatrial.images.dockerignore import patterns_of, walk

__all__ = ["EXTRA_CA", "BuildContext"]

#: where a Dockerfile finds certificate authorities to trust while it is built
EXTRA_CA = ".seatrial/extra-ca.pem"

_IGNORE = ".dockerignore"

#: changed whenever the same inputs are to get another tag
_FORMAT = "seatrial build context 1"


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """A folder with a Dockerfile, and how to build it. `.dockerignore` is respected."""

    path: Path
    dockerfile: str = "Dockerfile"
    """Its path inside the folder."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    """The stage to build; the last one if empty."""
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    """As in `linux/arm64`; the engine's own if empty."""
    extra_cas: bytes | None = None
    """Certificate authorities in PEM. They are put into the build as `.seatrial/extra-ca.pem`, for
    the Dockerfile to use, and have no part in the tag: an image has no business keeping them."""
    base_ids: tuple[str, ...] = ()
    """Ids of `images`, as far as they are known."""

    @cached_property
    def dockerfile_text(self) -> str:
        """Raises `ImageError` if there is none."""
        try:
            return (self.path / self.dockerfile).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ImageError(
                f"{self.path / self.dockerfile} cannot be read",
                details=str(error),
                hint="say where the Dockerfile is: k8s_build_image(path, dockerfile=…)",
            ) from error

    @property
    def images(self) -> list[str]:
        """The images that it starts from, and those that it copies from."""
        return parsed.images(self.dockerfile_text, self.build_args, self.target)

    @property
    def base(self) -> str:
        """The image that the built one rests on; empty for `scratch`, or if it cannot be told."""
        return parsed.base(self.dockerfile_text, self.build_args, self.target)

    def takes(self, name: str) -> bool:
        """Whether the Dockerfile declares the build argument `name`."""
        return parsed.declares(self.dockerfile_text, name)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """What goes into the build, as sorted paths inside the folder, folders included.

        Dockerfile and `.dockerignore` always do, since the classic builder reads them from there;
        see `visible_files`.
        """
        read_first = {name for name in (self.dockerfile, _IGNORE) if (self.path / name).is_file()}
        return tuple(sorted({*self.visible_files, *read_first}))

    @cached_property
    def visible_files(self) -> tuple[str, ...]:
        """What a `COPY . .` takes: all that is not ignored. Raises `ImageError`."""
        # a Dockerfile may have an ignore file of its own, as BuildKit reads it
        own = self.path / f"{self.dockerfile}{_IGNORE}"
        ignore = own if own.is_file() else self.path / _IGNORE
        try:
            patterns = patterns_of(ignore.read_text(encoding="utf-8")) if ignore.is_file() else []
            found = set(walk(self.path, patterns))
        except (OSError, ValueError) as error:
            raise ImageError(
                f"the files of {self.path} cannot be listed", details=str(error)
            ) from error
        # the file is ours to give; one that lies there by chance has no part in the tag either
        return tuple(sorted(found - {EXTRA_CA, posixpath.dirname(EXTRA_CA)}))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything that can change the image, in hex.

        That is: names, contents and executable bits of the files, and how they are built. Times,
        owners and the order in which the file system lists do not count.
        """
        digest = hashlib.sha256()

        def add(*parts: str | bytes) -> None:
            for part in parts:
                data = part.encode() if isinstance(part, str) else part
                # with its length, so that the parts cannot flow into one another
                digest.update(f"{len(data)}:".encode() + data)

        add(_FORMAT, self.dockerfile, self.target, self.platform, *sorted(self.base_ids))
        for mapping in (self.build_args, self.labels):
            add(str(len(mapping)))
            for key in sorted(mapping):
                add(key, mapping[key])
        for info, content in self._entries(self.files):
            add(info.name, info.type, oct(info.mode), info.linkname)
            if content is not None:
                with content:
                    add(_digest(content))
        return digest.hexdigest()

    @property
    def tag(self) -> str:
        """`sha-` and 16 digits of the hash."""
        return f"sha-{self.hash[:16]}"

    def tar(self) -> IO[bytes]:
        """The build context as the engine takes it; the same bytes for the same content."""
        archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for info, content in self._entries(self.files, with_authorities=True):
                if content is None:
                    tar.addfile(info)
                    continue
                with content:
                    tar.addfile(info, content)
        archive.seek(0)
        return archive

    def write_to(self, folder: Path) -> None:
        """Write what is to be visible into an empty folder; no times, owners or umask of ours."""
        folders = {folder}
        for info, content in self._entries(self.visible_files, with_authorities=True):
            place = folder / info.name
            place.parent.mkdir(parents=True, exist_ok=True)
            folders |= {each for each in place.parents if each.is_relative_to(folder)}
            if content is not None:
                with content, place.open("wb") as file:
                    shutil.copyfileobj(content, file)
                place.chmod(info.mode)
            elif info.issym():
                place.symlink_to(info.linkname)
            else:
                place.mkdir(exist_ok=True)
                folders.add(place)
            os.utime(place, (0, 0), follow_symlinks=False)
        for each in folders:
            each.chmod(0o755)
            os.utime(each, (0, 0))

    def _entries(
        self, names: Sequence[str], *, with_authorities: bool = False
    ) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        for name in names:
            path = self.path / name
            try:
                if path.is_symlink():
                    yield _info(name, tarfile.SYMTYPE, linkname=path.readlink().as_posix()), None
                elif path.is_dir():
                    yield _info(name, tarfile.DIRTYPE, executable=True), None
                elif path.is_file():
                    status = path.stat()
                    info = _info(name, executable=bool(status.st_mode & 0o100), size=status.st_size)
                    yield info, path.open("rb")
                # a socket or a pipe cannot be in an image
            except OSError as error:
                raise ImageError(f"{path} cannot be read: {error.strerror}") from error
        if with_authorities and self.extra_cas is not None:
            yield _info(EXTRA_CA, size=len(self.extra_cas)), io.BytesIO(self.extra_cas)


def _digest(content: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while chunk := content.read(1 << 20):
        digest.update(chunk)
    return digest.digest()


def _info(
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    executable: bool = False,
    size: int = 0,
    linkname: str = "",
) -> tarfile.TarInfo:
    """An entry without time and owner, whose mode depends on no umask."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755 if executable else 0o644
    info.size = size
    info.linkname = linkname
    return info
