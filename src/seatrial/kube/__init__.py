"""The API server: connections, discovery, objects, streams and port-forwards.

The only place that imports the `kubernetes` client; its errors leave here as `ApiError`.
"""

from seatrial.kube.access import Right, grouped, missing_rights, rules_allow, who_am_i
from seatrial.kube.connection import Connection, connect, connect_to
from seatrial.kube.errors import refusal, translated, unreachable
from seatrial.kube.kubeconfig import IN_CLUSTER, Target, default_paths, find_target, in_cluster
from seatrial.kube.objects import Objects
from seatrial.kube.portforward import PortForward, is_closed_inside
from seatrial.kube.resources import Discovery, Resource, conventional
from seatrial.kube.streaming import LineStream

__all__ = [
    "IN_CLUSTER",
    "Connection",
    "Discovery",
    "LineStream",
    "Objects",
    "PortForward",
    "Resource",
    "Right",
    "Target",
    "connect",
    "connect_to",
    "conventional",
    "default_paths",
    "find_target",
    "grouped",
    "in_cluster",
    "is_closed_inside",
    "missing_rights",
    "refusal",
    "rules_allow",
    "translated",
    "unreachable",
    "who_am_i",
]
