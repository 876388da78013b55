"""Requests to the application under test, from outside of the cluster."""

from seatrial.http.attempts import Attempt
from seatrial.http.endpoint import Endpoint
from seatrial.http.probe import Answer, Moment, Probe, Summary
from seatrial.http.routes import (
    Forward,
    LoadBalancerRoute,
    NodePortRoute,
    PortForwardRoute,
    Route,
)

__all__ = [
    "Answer",
    "Attempt",
    "Endpoint",
    "Forward",
    "LoadBalancerRoute",
    "Moment",
    "NodePortRoute",
    "PortForwardRoute",
    "Probe",
    "Route",
    "Summary",
]
