"""What is different on a cluster that is somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Tenancy"]


@dataclass(frozen=True)
class Tenancy:
    """Others use the cluster as well: nothing outside of our own namespaces is looked at or
    written, and the cluster stays when the session ends."""

    account: str
    """The name that the API server knows us by; empty where it does not tell."""
    role: str = ""
    """The ClusterRole to bind in each namespace that we make; empty where our rights hold in all
    of the cluster."""
    sees_nodes: bool = True
    """Whether nodes may be listed and watched."""
    registry: str = ""
    """Where images are pushed to, as `host:port/path`; empty for nowhere."""
    pull_registry: str = ""
    """What the nodes call that place, where it is another name; empty where it is the same."""
    pull_secret: str = ""
    """`namespace/name` of a Secret that pods of ours pull with; empty for none."""
    end: Callable[[], None] = field(default=lambda: None, repr=False)
    """Lets go of what the session had on this machine, such as its copy of the kubeconfig."""
