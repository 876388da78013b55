"""Clusters: providers that make, find and delete them, behind one Protocol."""

from seatrial.cluster.docker_node import DockerNode
from seatrial.cluster.host import HostFacts, has_capability, probe
from seatrial.cluster.kind import KindCluster, KindProvider
from seatrial.cluster.kind_config import FIRST_NODE_PORT
from seatrial.cluster.provider import ClusterHandle, ClusterOptions, Node, Provider

__all__ = [
    "FIRST_NODE_PORT",
    "ClusterHandle",
    "ClusterOptions",
    "DockerNode",
    "HostFacts",
    "KindCluster",
    "KindProvider",
    "Node",
    "Provider",
    "has_capability",
    "probe",
]
