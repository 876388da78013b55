"""Requests to the application under test, from outside of the cluster."""

from seatrial.http.endpoint import Attempt, Endpoint
from seatrial.http.routes import Forward, NodePortRoute, PortForwardRoute, Route

__all__ = ["Attempt", "Endpoint", "Forward", "NodePortRoute", "PortForwardRoute", "Route"]
