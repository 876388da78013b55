"""What a Debian or Ubuntu machine can install, and from where.

The mirror is always the machine's own: apt is asked for it, and no host name is known here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.core.errors import SetupError
from seatrial.tools.running import run

__all__ = [
    "Release",
    "apt_install",
    "apt_update",
    "debian_mirror",
    "foreign_packages",
    "has_package",
    "is_root",
    "release",
]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True)
class Release:
    """The distribution of this machine, from os-release(5)."""

    id: str
    codename: str
    pretty: str

    @property
    def has_apt(self) -> bool:
        return self.id in ("debian", "ubuntu") and shutil.which("apt-get") is not None


def release(os_release: Path = Path("/etc/os-release")) -> Release:
    """Which distribution this is; empty names where that cannot be told."""
    fields: dict[str, str] = {}
    if os_release.is_file():
        for line in os_release.read_text().splitlines():
            name, _, value = line.partition("=")
            fields[name] = value.strip("\"'")
    return Release(
        fields.get("ID", ""),
        fields.get("VERSION_CODENAME", ""),
        fields.get("PRETTY_NAME", "an unknown system"),
    )


def is_root() -> bool:
    return os.geteuid() == 0


def apt_update(*, on_line: Callable[[str], None] | None = None) -> None:
    """Fetch the lists of packages anew; what cannot be reached stays as it was."""
    run(["apt-get", "update", "-q"], env=_NONINTERACTIVE, on_line=on_line, check=False)


def apt_install(packages: Sequence[str], *, on_line: Callable[[str], None] | None = None) -> None:
    """Install Debian packages (or .deb files) of which some may be there already.

    Raises `CommandError` with apt's own words if that fails.
    """
    apt_update(on_line=on_line)
    run(
        # somebody else's apt, or another run of ours, may be at work
        ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-q", "-y",
         "--no-install-recommends", *packages],
        env=_NONINTERACTIVE,
        on_line=on_line,
        timeout=1200,
    )  # fmt: skip


def debian_mirror(configured: str = "") -> str:
    """The URI of a Debian mirror: the configured one, or the one this machine installs from.

    Raises `SetupError` where neither is known (an Ubuntu machine, say).
    """
    if configured:
        return configured
    if shutil.which("apt-get"):
        listed = run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(COMPONENT)|$(REPO_URI)",
             "Created-By: Packages"],
            check=False,
        ).stdout  # fmt: skip
        for line in listed.splitlines():
            origin, _, rest = line.partition("|")
            component, _, uri = rest.partition("|")
            # the security archive is of the same origin, but holds a part of the packages only
            if origin == "Debian" and component == "main" and "security" not in uri:
                return uri.rstrip("/")
    raise SetupError(
        "no Debian mirror is known on this machine, and an image is to be made from its packages",
        hint="name one: SEATRIAL_DEBIAN_MIRROR=http://…/debian",
    )


def has_package(name: str) -> bool:
    """Whether this machine's own sources know the package."""
    return run(["apt-cache", "show", name], check=False).status == 0


def foreign_packages(
    names: Sequence[str], *, suite: str, mirror: str, folder: Path, on_line: Callable[[str], None]
) -> Sequence[Path]:
    """Download packages of another suite into `folder`, checked against that suite's signature.

    apt works on lists of its own there: the machine's sources stay as they are.
    """
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    options = [
        "-o", f"Dir::Etc::SourceList={sources}",
        "-o", "Dir::Etc::SourceParts=/dev/null",
        "-o", f"Dir::State::Lists={lists}",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    run(["apt-get", *options, "-q", "update"], on_line=on_line)
    run(["apt-get", *options, "-q", "download", *names], cwd=folder, on_line=on_line)
    return sorted(folder.glob("*.deb"))
