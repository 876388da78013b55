"""Ways from this machine to a port inside the cluster.

A node port that the cluster's provider published on 127.0.0.1 is the better one: requests go
through the Service, as a client's would. A port-forward leads to one pod, past the Service, and
works wherever the API server can be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from seatrial.core.errors import HttpExpectationError

__all__ = ["Forward", "NodePortRoute", "PortForwardRoute", "Route"]


class Route(Protocol):
    """Where requests are sent."""

    @property
    def url(self) -> str:
        """Base URL without a slash at its end; may open the route, and raise `SeatrialError`."""

    def describe(self) -> str:
        """A few words for a person: `node port 127.0.0.1:30500`."""

    def renew(self) -> None:
        """Called after a connection failed: look for a better way, if there can be one."""

    def close(self) -> None:
        """Let go of whatever keeps the route open; any number of times."""


class NodePortRoute:
    """To a node port that is published on an address of this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        return f"http://{self._where}"

    def describe(self) -> str:
        return f"node port {self._where}"

    def renew(self) -> None:
        """Nothing to do: kube-proxy sends new connections to pods that are ready."""

    def close(self) -> None:
        """Nothing to do: the port belongs to the cluster."""


class Forward(Protocol):
    """An open port-forward: `kube.PortForward`."""

    @property
    def local_port(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def close(self) -> None: ...


class PortForwardRoute:
    """To one ready pod; another is picked when that one is gone.

    `pick` names a ready pod, the current one for as long as it stays ready, or gives None while
    there is none. `forward` opens a port-forward to the pod of that name.
    """

    def __init__(self, pick: Callable[[], str | None], forward: Callable[[str], Forward]) -> None:
        self._pick = pick
        self._open = forward
        self._forward: Forward | None = None
        self._pod = ""

    @property
    def url(self) -> str:
        if self._forward is None or not self._forward.alive:
            self.close()
            self._pod = self._pick() or ""
            if not self._pod:
                raise HttpExpectationError("there is no ready pod to forward a port to")
            self._forward = self._open(self._pod)
        return f"http://127.0.0.1:{self._forward.local_port}"

    def describe(self) -> str:
        if self._forward is None:
            return "port-forward, not open"
        return f"port-forward 127.0.0.1:{self._forward.local_port} to Pod/{self._pod}"

    def renew(self) -> None:
        """Give the forward up if it died, or if its pod is not the one to pick any more."""
        if self._forward is not None and (not self._forward.alive or self._pick() != self._pod):
            self.close()

    def close(self) -> None:
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.close()
