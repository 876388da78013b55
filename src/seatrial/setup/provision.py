"""The provider of clusters that the settings ask for, ready for use.

The one place that knows which providers there are; the plugin and the command both come here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker

from seatrial.cluster import ClusterOptions, ExistingProvider, KindProvider, Provider
from seatrial.core.errors import EngineError
from seatrial.core.progress import Progress
from seatrial.core.settings import Settings
from seatrial.setup.preparing import artifacts_of, prepare
from seatrial.tools.engine import connect
from seatrial.tools.toolchain import Toolchain

__all__ = ["Provision", "provider_of", "provision"]


@dataclass(frozen=True)
class Provision:
    """A provider that can be asked for clusters, and what it was made ready with."""

    provider: Provider
    client: docker.DockerClient | None
    """The engine; None where none answers and none is needed to begin with."""
    kubectl: Path
    kind: Path | None = None
    """The kind executable, where clusters are made by it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What the settings say of `ClusterOptions`."""

    def options(self, **wanted: Any) -> ClusterOptions:
        """What a cluster is to be like: as the settings have it, but for what is `wanted`."""
        return ClusterOptions(**{**self.defaults, **wanted})


def provision(
    settings: Settings, progress: Progress, wanted: Mapping[str, Any] | None = None
) -> Provision:
    """Get all that is needed to make clusters. Raises `SetupError`, each naming the way out.

    `wanted` is what is wanted of `ClusterOptions` over the settings: another version of Kubernetes
    takes another node image.
    """
    wanted = wanted or {}
    if version := wanted.get("kubernetes_version") or wanted.get("kubernetes"):
        settings = replace(settings, kubernetes=str(version).removeprefix("v"))
    return _PROVISIONS[settings.provider](settings, progress)


def provider_of(settings: Settings) -> Provider:
    """A provider for listing and deleting, for which the machine need not be made ready."""
    return _PROVIDERS[settings.provider](settings)


def _kind(settings: Settings, progress: Progress) -> Provision:
    prepared = prepare(settings, progress)
    provider = KindProvider(
        prepared.client,
        prepared.kind,
        prepared.kubectl,
        settings.state_dir,
        settings.cluster_timeout,
    )
    defaults = {
        "name": settings.cluster_name,
        "kubernetes": prepared.kubernetes,
        "node_image": prepared.node_image,
    }
    return Provision(provider, prepared.client, prepared.kubectl, prepared.kind, defaults)


def _kind_as_it_is(settings: Settings) -> Provider:
    toolchain = Toolchain(artifacts_of(settings))
    kind, kubectl = (toolchain.find(name) or Path(name) for name in ("kind", "kubectl"))
    return KindProvider(connect(settings.engine), kind, kubectl, settings.state_dir)


def _existing(settings: Settings, progress: Progress) -> Provision:
    kubectl = settings.kubectl or Toolchain(artifacts_of(settings)).ensure("kubectl", progress)
    try:
        client = connect(settings.engine)
    except EngineError:
        # said when an image is to be built or pushed; tests may do without
        client = None
    defaults = {"name": settings.cluster_name}
    return Provision(_existing_as_it_is(settings), client, kubectl, defaults=defaults)


def _existing_as_it_is(settings: Settings) -> ExistingProvider:
    return ExistingProvider(
        settings.state_dir,
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        allowed_contexts=settings.allowed_contexts,
        registry=settings.registry,
        pull_registry=settings.pull_registry,
        pull_secret=settings.pull_secret,
    )


_PROVISIONS: Mapping[str, Callable[[Settings, Progress], Provision]] = {
    "kind": _kind,
    "existing": _existing,
}
_PROVIDERS: Mapping[str, Callable[[Settings], Provider]] = {
    "kind": _kind_as_it_is,
    "existing": _existing_as_it_is,
}
