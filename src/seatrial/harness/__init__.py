"""Puts the capabilities together into what a test works with; knows nothing of pytest."""

from seatrial.harness.cluster import Cluster
from seatrial.harness.http import Http
from seatrial.harness.images import ImageFactory
from seatrial.harness.namespaces import SessionNamespaces
from seatrial.harness.release import Deployer, Release

__all__ = ["Cluster", "Deployer", "Http", "ImageFactory", "Release", "SessionNamespaces"]
