"""Watch streams: one list-and-watch loop per kind and scope, recorded and added up by the hub."""

from seatrial.watch.hub import Hub, View
from seatrial.watch.stream import Delta, Scope, Stream

__all__ = ["Delta", "Hub", "Scope", "Stream", "View"]
