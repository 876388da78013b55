"""Clusters: providers that make, find and delete them, behind one Protocol."""

from seatrial.cluster.bootstrap import Bootstrap
from seatrial.cluster.container_node import ContainerNode
from seatrial.cluster.host import HostFacts, probe
from seatrial.cluster.kind import KindCluster, KindProvider
from seatrial.cluster.kind_config import FIRST_NODE_PORT, kind_config
from seatrial.cluster.provider import ClusterHandle, ClusterOptions, Node, Provider
from seatrial.cluster.sharing import Sharing

__all__ = [
    "FIRST_NODE_PORT",
    "Bootstrap",
    "ClusterHandle",
    "ClusterOptions",
    "ContainerNode",
    "HostFacts",
    "KindCluster",
    "KindProvider",
    "Node",
    "Provider",
    "Sharing",
    "kind_config",
    "probe",
]
