"""Clusters: providers that make, find and delete them, behind one Protocol."""

from seatrial.cluster.bootstrap import Bootstrap
from seatrial.cluster.docker_node import DockerNode
from seatrial.cluster.host import HostFacts, has_capability, probe
from seatrial.cluster.kind import KindCluster, KindProvider
from seatrial.cluster.kind_config import FIRST_NODE_PORT, kind_config
from seatrial.cluster.provider import ClusterHandle, ClusterOptions, Node, Provider

__all__ = [
    "FIRST_NODE_PORT",
    "Bootstrap",
    "ClusterHandle",
    "ClusterOptions",
    "DockerNode",
    "HostFacts",
    "KindCluster",
    "KindProvider",
    "Node",
    "Provider",
    "has_capability",
    "kind_config",
    "probe",
]
