"""Container images from Debian's packages alone, for where no image registry can be reached."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from seatrial.core.errors import NodeImageError
from seatrial.core.progress import Progress
from seatrial.setup import debian
from seatrial.tools import engine
from seatrial.tools.artifacts import Artifacts, fingerprint
from seatrial.tools.running import run

__all__ = ["DebianImage"]

_HOOKS = Path("/usr/share/mmdebstrap/hooks")

#: what a container never reads; about a third of a small system
_LEFT_OUT = ("doc", "man", "locale", "info", "i18n", "zoneinfo", "bash-completion")


@dataclass(frozen=True)
class DebianImage:
    """An image of a Debian suite with some packages, and settings in Dockerfile words."""

    repository: str
    packages: tuple[str, ...]
    suite: str = "bookworm"
    changes: tuple[str, ...] = ()
    """Dockerfile instructions such as `ENV container=docker`."""

    @property
    def reference(self) -> str:
        """Repository and tag; the tag is made of what the image is made of."""
        key = fingerprint([Path(__file__).read_bytes(), self.suite, *self.packages, *self.changes])
        return f"{self.repository}:{self.suite}-{key}"

    def exists(self, client: docker.DockerClient) -> bool:
        return engine.has_image(client, self.reference)

    def ensure(
        self, client: docker.DockerClient, artifacts: Artifacts, progress: Progress, *, mirror: str
    ) -> str:
        """Make the image in the engine unless it is there, and give its reference."""
        if self.exists(client):
            return self.reference
        name = self.reference.replace("/", "-").replace(":", "-")
        with (
            progress.step(f"making {self.reference} from Debian's packages") as step,
            artifacts.lock(name),
        ):
            if not self.exists(client):
                with artifacts.workspace(name) as folder:
                    self._make(client, folder / "rootfs.tar", mirror, step.line)
        return self.reference

    def _make(
        self, client: docker.DockerClient, tar: Path, mirror: str, on_line: Callable[[str], None]
    ) -> None:
        ensure_mmdebstrap(on_line)
        run(self._argv(tar, debian.debian_mirror(mirror)), on_line=on_line, timeout=1200)
        repository, tag = self.reference.split(":")
        client.api.import_image(
            str(tar), repository=repository, tag=tag, changes=list(self.changes)
        )

    def _argv(self, tar: Path, mirror: str) -> Sequence[str]:
        include = ",".join(self.packages)
        left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
        return ["mmdebstrap", "--mode=root", "--variant=essential", "--format=tar",
                # else apt picks usrmerge, which drags in all of perl (50 MB)
                f"--hook-dir={_HOOKS / 'maybe-merged-usr'}",
                f"--include={include}", *left_out, self.suite, str(tar), mirror]  # fmt: skip


def ensure_mmdebstrap(on_line: Callable[[str], None]) -> None:
    """Install mmdebstrap where it is missing. Raises `NodeImageError` where that cannot be done."""
    if shutil.which("mmdebstrap"):
        return
    system = debian.release()
    if not (system.has_apt and debian.is_root()):
        raise NodeImageError(
            "an image is to be made from Debian's packages, which needs mmdebstrap and root",
            details=f"this is {system.pretty}",
            hint="give the machine access to an image registry, load the images by hand\n"
            "(`docker load`), or run `seatrial setup` as root on Debian or Ubuntu",
        )
    debian.apt_install(["mmdebstrap"], on_line=on_line)
