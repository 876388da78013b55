"""Builds Go programs from pinned modules: go.mod and go.sum are here, the code is not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.core.errors import ToolError
from seatrial.core.progress import Progress
from seatrial.tools.artifacts import Artifacts, fingerprint
from seatrial.tools.running import run

__all__ = ["GoBuild", "go_version"]

_GO_DIRECTIVE = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)


def go_version() -> tuple[int, int] | None:
    """The (major, minor) version of the `go` on PATH, or None where there is none."""
    if not (go := shutil.which("go")):
        return None
    found = re.search(r"go(\d+)\.(\d+)", run([go, "env", "GOVERSION"], check=False).stdout)
    return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True)
class GoBuild:
    """Executables to be built from one module folder (go.mod, go.sum and perhaps a main.go)."""

    name: str
    sources: tuple[Path, ...]
    """Files that make the module: its go.mod and go.sum among them."""
    packages: tuple[str, ...] = (".",)
    ldflags: str = "-s -w"
    tags: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """(name that go gives the executable, name it is to have)."""

    @property
    def needs(self) -> tuple[int, int]:
        """The lowest Go version (major, minor) that the module asks for."""
        text = next(path for path in self.sources if path.name == "go.mod").read_text()
        found = _GO_DIRECTIVE.search(text)
        if not found:
            raise ToolError(f"the go.mod of {self.name} has no go directive")
        return int(found[1]), int(found[2])

    @property
    def key(self) -> str:
        """Changes whenever what would be built may change."""
        contents = [part for path in self.sources for part in (path.name, path.read_bytes())]
        how = (self.packages, self.ldflags, self.tags, self.renamed)
        return fingerprint([*contents, repr(how)])

    def run(self, artifacts: Artifacts, progress: Progress) -> Path:
        """The folder with the executables, built now unless it was built before.

        Raises `ToolError` where Go is missing or too old, `CommandError` where the build fails.
        """
        if (built := artifacts.path(self.name, self.key)).is_dir():
            return built
        _require_go(self)
        with progress.step(f"building {self.name} with Go") as step:
            return artifacts.get(self.name, self.key, lambda folder: self._build(folder, step.line))

    def _build(self, folder: Path, on_line: Callable[[str], None]) -> None:
        work = folder / ".module"
        work.mkdir()
        for path in self.sources:
            shutil.copy(path, work / path.name)
        run(
            self._argv(folder),
            cwd=work,
            # CGO off: the executables run on any libc, and in images made from nothing
            env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
            timeout=3600,
            on_line=on_line,
        )
        shutil.rmtree(work)
        for old, new in self.renamed:
            (folder / old).rename(folder / new)

    def _argv(self, folder: Path) -> Sequence[str]:
        tags = ["-tags", ",".join(self.tags)] if self.tags else []
        # a trailing slash: go then takes -o as a folder, also for a single executable
        where = f"{folder}/"
        return ["go", "build", "-v", "-trimpath", "-ldflags", self.ldflags, *tags, "-o", where,
                *self.packages]  # fmt: skip


def _require_go(wanted: GoBuild) -> None:
    have, need = go_version(), wanted.needs
    if have is None or have < need:
        found = f"this machine has Go {have[0]}.{have[1]}" if have else "there is no `go` on PATH"
        raise ToolError(
            f"{wanted.name} is built from source with Go {need[0]}.{need[1]} or newer, and {found}",
            hint="install Go (https://go.dev/dl) and run `seatrial setup` again",
        )
