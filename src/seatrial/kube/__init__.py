"""The API server: connections, discovery, objects, streams and port-forwards.

The only place that imports the `kubernetes` client; its errors leave here as `ApiError`.
"""

from seatrial.kube.connection import Connection, connect
from seatrial.kube.errors import refusal, translated, unreachable
from seatrial.kube.objects import Objects
from seatrial.kube.portforward import PortForward, is_closed_inside
from seatrial.kube.resources import Discovery, Resource
from seatrial.kube.streaming import LineStream

__all__ = [
    "Connection",
    "Discovery",
    "LineStream",
    "Objects",
    "PortForward",
    "Resource",
    "connect",
    "is_closed_inside",
    "refusal",
    "translated",
    "unreachable",
]
