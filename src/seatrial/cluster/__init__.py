"""Clusters: providers that make, find and delete them, behind one Protocol."""

from seatrial.cluster.bootstrap import Bootstrap
from seatrial.cluster.container_node import ContainerNode
from seatrial.cluster.existing import ALLOWED_LABEL, ExistingCluster, ExistingProvider
from seatrial.cluster.host import HostFacts, probe
from seatrial.cluster.kind import KindCluster, KindProvider
from seatrial.cluster.kind_config import FIRST_NODE_PORT, kind_config
from seatrial.cluster.provider import ClusterHandle, ClusterOptions, Node, Provider
from seatrial.cluster.rights import access_manifests, binding
from seatrial.cluster.sharing import Sharing
from seatrial.cluster.standing import require_for
from seatrial.cluster.tenancy import Tenancy

__all__ = [
    "ALLOWED_LABEL",
    "FIRST_NODE_PORT",
    "Bootstrap",
    "ClusterHandle",
    "ClusterOptions",
    "ContainerNode",
    "ExistingCluster",
    "ExistingProvider",
    "HostFacts",
    "KindCluster",
    "KindProvider",
    "Node",
    "Provider",
    "Sharing",
    "Tenancy",
    "access_manifests",
    "binding",
    "kind_config",
    "probe",
    "require_for",
]
