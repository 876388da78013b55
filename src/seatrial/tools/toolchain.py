"""The locked tools: kind and kubectl at one version each, verified, in a folder of ours."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests
import yaml

from seatrial.core.errors import ToolError
from seatrial.core.progress import Progress
from seatrial.tools.artifacts import Artifacts, fingerprint
from seatrial.tools.golang import GoBuild

__all__ = ["Download", "LockedTool", "Toolchain", "read_lock"]

FOLDER = Path(__file__).parent
LOCK = FOLDER / "lock.yaml"

#: seconds for a server to answer, and between two pieces of a download
TIMEOUT = 30

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Download:
    """A published executable and the checksum it must have."""

    url: str
    sha256: str


@dataclass(frozen=True)
class LockedTool:
    """One row of the lock file."""

    name: str
    version: str
    build: GoBuild | None = None
    downloads: Mapping[str, Download] = field(default_factory=dict)

    @property
    def download(self) -> Download | None:
        """The published executable for this machine, if there is one."""
        machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
        return self.downloads.get(f"{platform.system().lower()}/{machine}")


def read_lock(lock: Path = LOCK) -> dict[str, LockedTool]:
    """The rows of the lock file by name."""
    rows = yaml.safe_load(lock.read_text())
    return {name: _tool(name, row) for name, row in rows.items()}


def _tool(name: str, row: Mapping[str, object]) -> LockedTool:
    build = None
    if isinstance(go := row.get("go"), dict):
        sources = (p for p in (FOLDER / "go" / name).iterdir() if p.is_file())
        build = GoBuild(
            # by version, so that the folder's name says what is in it
            name=f"{name}-{row['version']}",
            sources=tuple(sorted(sources)),
            packages=(go["package"],),
            ldflags=go["ldflags"],
        )
    downloads = row.get("downloads")
    rows = downloads.items() if isinstance(downloads, dict) else ()
    return LockedTool(
        name, str(row["version"]), build, {where: Download(**what) for where, what in rows}
    )


@dataclass(frozen=True)
class Toolchain:
    """Finds the locked tools, and fetches or builds those that are not there yet."""

    artifacts: Artifacts
    tools: Mapping[str, LockedTool] = field(default_factory=read_lock)

    def find(self, name: str) -> Path | None:
        """The executable if it is there already."""
        tool = self._locked(name)
        places = []
        if tool.download:
            places.append(self.artifacts.path(*_downloaded(tool, tool.download)))
        if tool.build:
            places.append(self.artifacts.path(tool.build.name, tool.build.key))
        return next((place / name for place in places if (place / name).is_file()), None)

    def ensure(self, name: str, progress: Progress) -> Path:
        """The executable, fetched or built now if it is not there.

        Raises `ToolError`: unknown tool, checksum that differs, nothing to get it from.
        """
        if found := self.find(name):
            return found
        tool = self._locked(name)
        if (download := tool.download) is not None:
            try:
                return self._fetch(tool, download, progress)
            except requests.RequestException as error:
                if tool.build is None:
                    raise ToolError(
                        f"{name} {tool.version} cannot be downloaded", details=str(error)
                    ) from error
                progress.note(f"{name} cannot be downloaded here: building it instead")
        if tool.build is None:
            raise ToolError(f"{name} is not provided by this version of seatrial")
        return tool.build.run(self.artifacts, progress) / name

    def _locked(self, name: str) -> LockedTool:
        if name not in self.tools:
            raise ToolError(f"no tool {name!r} is locked", hint=f"one of {', '.join(self.tools)}")
        return self.tools[name]

    def _fetch(self, tool: LockedTool, download: Download, progress: Progress) -> Path:
        with progress.step(f"downloading {tool.name} {tool.version}"):
            name, key = _downloaded(tool, download)
            folder = self.artifacts.get(
                name, key, lambda folder: _verified(tool, download, folder / tool.name)
            )
        return folder / tool.name


def _downloaded(tool: LockedTool, download: Download) -> tuple[str, str]:
    return f"{tool.name}-{tool.version}-download", fingerprint([download.sha256])


def _verified(tool: LockedTool, download: Download, place: Path) -> None:
    digest = hashlib.sha256()
    with (
        requests.get(download.url, stream=True, timeout=TIMEOUT) as response,
        place.open("wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(1 << 20):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != download.sha256:
        # whoever asked for it removes the folder: nothing of it is kept
        raise ToolError(
            f"{tool.name} {tool.version} has another checksum than the locked one, and was removed",
            details=f"from:     {download.url}\nlocked:   sha256 {download.sha256}\n"
            f"received: sha256 {digest.hexdigest()}",
            hint="somebody changed the file, or the lock is out of date: do not use it unchecked",
        )
    place.chmod(0o755)
