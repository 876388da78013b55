"""Keeps what is sent to a pod that is gone inside its node.

Until kube-proxy has heard of a pod's end it sends to the pod's address. No route leads there any
more but the default one: out of the node, and on, out of this machine.
"""

from __future__ import annotations

from seatrial.core.model import dig


def keep_inside(cluster):
    """Let each node refuse what is for a pod of its own that it has not got."""
    for node in cluster.nodes:
        pods = dig(cluster.objects.get("v1", "Node", node.name), "spec", "podCIDR")
        # every pod has a route of its own, which is more specific than this one
        node.exec(["ip", "route", "replace", "unreachable", pods])
