"""What a cluster is to the rest of seatrial, whoever made it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from seatrial.cluster.tenancy import Tenancy
from seatrial.core.errors import ConfigurationError
from seatrial.core.progress import Progress

__all__ = ["ClusterHandle", "ClusterOptions", "Node", "Provider"]

#: kind appends "-control-plane" to make a host name, which ends at 64 characters
LONGEST_NAME = 50

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class ClusterOptions:
    """What a cluster is to be like. Two that are equal may share one cluster."""

    name: str = "seatrial"
    """A DNS label of at most 50 characters."""
    kubernetes: str = "1.37.2"
    """Version of Kubernetes, without a `v`."""
    node_image: str = ""
    """Image that the nodes run."""
    workers: int = 0
    """Nodes beside the control plane; without any, the control plane takes pods."""
    node_ports: int = 16
    """How many node ports there are, each published on 127.0.0.1; a Service takes one or more."""
    feature_gates: Mapping[str, bool] = field(default_factory=dict)
    """Of Kubernetes, in all its components: `{"InPlacePodVerticalScaling": True}`."""
    extra_mounts: Sequence[Mapping[str, Any]] = ()
    """Folders of this machine in every node, in kind's words: `{"hostPath": …, "containerPath": …,
    "readOnly": True}`."""
    port_mappings: Sequence[Mapping[str, Any]] = ()
    """Further ports of the control plane on this machine, in kind's words: `{"containerPort": 80,
    "hostPort": 8080}`. They listen on 127.0.0.1 unless `listenAddress` says otherwise."""
    config: str = ""
    """A configuration of kind's own, as YAML, that all of this is put into."""
    nodes: InitVar[int] = 0
    """How many nodes there are in all: another word for `workers`, plus one."""
    kubernetes_version: InitVar[str] = ""
    """Another word for `kubernetes`."""
    config_file: InitVar[str | Path] = ""
    """A file to read `config` from."""

    def __post_init__(self, nodes: int, kubernetes_version: str, config_file: str | Path) -> None:
        if nodes:
            self._set("workers", nodes - 1, unless=0, said=f"nodes={nodes}")
        if kubernetes_version:
            self._replace(kubernetes=kubernetes_version.removeprefix("v"))
        if config_file:
            self._set("config", _text_of(config_file), unless="", said=f"config_file={config_file}")
        # as they come back from JSON, so that what was written down equals what is wanted
        self._replace(
            extra_mounts=[dict(each) for each in self.extra_mounts],
            port_mappings=[dict(each) for each in self.port_mappings],
            feature_gates=dict(self.feature_gates),
        )
        self._check_config()
        if not _DNS_LABEL.fullmatch(self.name) or len(self.name) > LONGEST_NAME:
            raise ConfigurationError(
                f"{self.name!r} cannot be the name of a cluster",
                hint="use lower-case letters, digits and hyphens, a letter or digit at both ends,\n"
                f"and at most {LONGEST_NAME} characters: --seatrial-cluster-name=my-cluster",
            )
        if self.workers < 0 or not 1 <= self.node_ports <= 512:
            raise ConfigurationError(
                f"a cluster of {self.workers} workers and {self.node_ports} node ports cannot be",
                hint="workers start at 0, node_ports go from 1 to 512",
            )

    @property
    def own_config(self) -> dict[str, Any]:
        """`config`, read."""
        try:
            document = yaml.safe_load(self.config) or {}
        except yaml.YAMLError as error:
            raise ConfigurationError(
                "the configuration of kind is not YAML", details=str(error)
            ) from error
        if not isinstance(document, dict) or document.get("kind", "Cluster") != "Cluster":
            raise ConfigurationError(
                "the configuration of kind is none", hint="it begins with `kind: Cluster`"
            )
        return document

    def _check_config(self) -> None:
        if self.own_config.get("nodes") and self.workers:
            raise ConfigurationError(
                "both the configuration of kind and the options say what nodes there are",
                hint="leave `nodes` out of the configuration, or nodes and workers out of the "
                "options",
            )

    def _set(self, name: str, value: Any, *, unless: Any, said: str) -> None:
        given = getattr(self, name)
        if given not in (unless, value):
            raise ConfigurationError(f"{said} and {name}={given!r} contradict each other")
        self._replace(**{name: value})

    def _replace(self, **values: Any) -> None:
        for name, value in values.items():
            # the way that dataclasses' own documentation has for frozen ones
            object.__setattr__(self, name, value)

    def differences(self, other: ClusterOptions) -> list[str]:
        """Where the other one is not the same, as `workers: 0, not 2`."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{k}: {mine[k]!r}, not {theirs[k]!r}" for k in mine if mine[k] != theirs[k]]


def _text_of(file: str | Path) -> str:
    path = Path(file).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the configuration of kind {path} cannot be read: {error}"
        ) from error


class Node(Protocol):
    """A machine of the cluster that commands can be run on."""

    @property
    def name(self) -> str:
        """Its name, the same in Kubernetes."""

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command there and give its standard output. Raises `CommandError`."""


class ClusterHandle(Protocol):
    """A cluster that is up."""

    @property
    def name(self) -> str: ...

    @property
    def provider(self) -> str:
        """`kind`, …"""

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig of this cluster alone."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes whose container runtime can be reached; empty where none can."""

    @property
    def tenancy(self) -> Tenancy | None:
        """What is different as it is somebody else's; None for a cluster that seatrial made."""

    def host_port(self, node_port: int) -> int | None:
        """The port of 127.0.0.1 at which a node port answers, or None if it is not published."""


class Provider(Protocol):
    """Makes clusters, finds them again and takes them away."""

    @property
    def realm(self) -> str:
        """What tells its clusters from those of other providers with the same name: a short word
        without a dot, or nothing for kind on Docker."""

    def list(self) -> Sequence[str]:
        """The names of all clusters of ours."""

    def find(self, name: str) -> ClusterHandle | None:
        """The cluster of ours with that name, or None."""

    def ensure(self, options: ClusterOptions, progress: Progress) -> ClusterHandle:
        """Give a usable cluster: the one that is there, if it is the same, or a new one.

        Raises `ClusterError`; a cluster that could not be made whole is gone by then.
        """

    def delete(self, name: str, progress: Progress) -> None:
        """Take the cluster away, with all that belongs to it. One that is not there is fine."""
