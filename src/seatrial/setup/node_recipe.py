"""What a node image is made of: pinned Go modules, Debian packages, and a few files of ours.

`Recipe.key` is a hash over all of it, so an image with that key in its tag never has to be made
again, and a change of any part makes another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seatrial.core.errors import NodeImageError
from seatrial.setup.debian_image import DebianImage
from seatrial.tools.artifacts import fingerprint
from seatrial.tools.golang import GoBuild

__all__ = ["BASE", "Recipe", "known_versions"]

FOLDER = Path(__file__).parent / "recipe"

#: bookworm's systemd (252) is the newest that still starts on cgroup v1
BASE = DebianImage(
    repository="seatrial/node-base",
    packages=(
        "ca-certificates", "conntrack", "curl", "dbus", "dnsmasq-base", "ethtool", "iproute2",
        "iptables", "jq", "kmod", "libseccomp2", "mount", "nftables", "procps", "runc", "systemd",
        "systemd-sysv",
    ),
    changes=(
        "ENV container=docker",
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        # systemd's own signal for an orderly halt, systemd(1)
        "STOPSIGNAL SIGRTMIN+3",
    ),
)  # fmt: skip

#: what kube-proxy runs, beside itself
PROXY_PACKAGES = ("conntrack", "iptables", "kmod", "nftables")

#: the commands that pods run; kubeadm, kubectl and kubelet are linked by the assembling script
POD_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler")

_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CONTAINERD_VERSION = "github.com/containerd/containerd/v2/version.Version=v2.4.2"
_CNI = "github.com/containernetworking/plugins/plugins"


def known_versions() -> tuple[str, ...]:
    """The Kubernetes versions for which modules are pinned here, oldest first."""
    folders = (FOLDER / "go" / "kubernetes").glob("v*")
    return tuple(sorted((f.name[1:] for f in folders), key=lambda v: [*map(int, v.split("."))]))


def _module(name: str, *more: Path) -> tuple[Path, ...]:
    folder = FOLDER / "go" / name
    return (*sorted(path for path in folder.iterdir() if path.is_file()), *more)


@dataclass(frozen=True)
class Recipe:
    """How the node image of one Kubernetes version (such as `1.37.2`) is made."""

    kubernetes: str

    def __post_init__(self) -> None:
        if self.kubernetes not in known_versions():
            raise NodeImageError(
                f"there is no recipe for a node image of Kubernetes {self.kubernetes}",
                hint=f"choose one of: {', '.join(known_versions())}",
            )

    @cached_property
    def kubernetes_build(self) -> GoBuild:
        """The seven commands of Kubernetes as one executable that goes by its name."""
        major, minor, _ = self.kubernetes.split(".")
        package = "k8s.io/component-base/version"
        stamped = {
            "gitVersion": f"v{self.kubernetes}",
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
            # of the module, not of a commit or a day: the same inputs give the same bits
            "gitCommit": "unknown",
            "buildDate": "1970-01-01T00:00:00Z",
        }
        pinned = FOLDER / "go" / "kubernetes" / f"v{self.kubernetes}"
        return GoBuild(
            name=f"kubernetes-v{self.kubernetes}",
            sources=_module("kubernetes", pinned / "go.mod", pinned / "go.sum"),
            ldflags="-s -w " + " ".join(f"-X {package}.{k}={v}" for k, v in stamped.items()),
        )

    @cached_property
    def builds(self) -> dict[str, GoBuild]:
        """Every Go build of the recipe, by name."""
        return {
            "kubernetes": self.kubernetes_build,
            "containerd": GoBuild(
                name="containerd",
                sources=_module("containerd"),
                ldflags=f"-s -w -X {_CONTAINERD_VERSION}",
                packages=tuple(
                    f"{_CONTAINERD}/{name}"
                    for name in ("containerd", "containerd-shim-runc-v2", "ctr")
                ),
                tags=("no_btrfs", "no_zfs", "no_devmapper", "no_aufs"),
            ),
            "cni": GoBuild(
                name="cni",
                sources=_module("cni"),
                packages=tuple(
                    f"{_CNI}/{name}"
                    for name in ("main/ptp", "main/loopback", "ipam/host-local", "meta/portmap")
                ),
            ),
            "etcd": GoBuild(
                name="etcd",
                sources=_module("etcd"),
                packages=("go.etcd.io/etcd/server/v3",),
                renamed=(("server", "etcd"),),
            ),
            "coredns": GoBuild(name="coredns", sources=_module("coredns")),
            "crictl": GoBuild(
                name="crictl",
                sources=_module("crictl"),
                packages=("sigs.k8s.io/cri-tools/cmd/crictl",),
            ),
            "pause": GoBuild(name="pause", sources=_module("pause")),
        }

    @property
    def node_files(self) -> dict[str, Path]:
        """Files of ours in the node, by their path there."""
        root = FOLDER / "node"
        return {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()}

    @cached_property
    def key(self) -> str:
        """Changes whenever the image may change."""
        here = Path(__file__)
        assembling = (
            here,
            here.with_name("node_image.py"),
            here.with_name("oci.py"),
            FOLDER / "assemble",
            FOLDER / "proxy-files",
        )
        contents: list[str | bytes] = [build.key for build in self.builds.values()]
        for name, path in self.node_files.items():
            contents += [name, path.read_bytes()]
        contents += [path.read_bytes() for path in assembling]
        return fingerprint([BASE.reference, *contents])

    @property
    def reference(self) -> str:
        """Repository and tag that the image gets in the engine."""
        return f"seatrial/node:v{self.kubernetes}-{self.key}"
