"""Ways from this machine to a port inside the cluster.

A node port that the cluster's provider published on 127.0.0.1 is the best one: requests go through
the Service, as a client's would, and need nobody's help. So do those to a load balancer's address,
where there is one. A port-forward leads to one pod, past the Service, and works wherever the API
server can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from seatrial.core.errors import HttpExpectationError

__all__ = ["Forward", "LoadBalancerRoute", "NodePortRoute", "PortForwardRoute", "Route"]


class Route(Protocol):
    """Where requests are sent."""

    @property
    def url(self) -> str:
        """Base URL without a slash at its end; may open the route, and raise `SeatrialError`."""

    @property
    def through_service(self) -> bool:
        """Whether the Service picks the pod, for each connection anew."""

    def describe(self) -> str:
        """A few words for a person: `node port 127.0.0.1:30500`."""

    def behind(self) -> str:
        """Who answers at this moment, as far as it is known: `Pod/flask-1`, or nothing."""

    def renew(self) -> None:
        """Called after a connection failed: look for a better way, if there can be one."""

    def close(self) -> None:
        """Let go of whatever keeps the route open; any number of times."""


class _ServiceRoute:
    """To an address at which a Service answers; `ready` names the pods that it may pick."""

    through_service = True
    _kind = "address"

    def __init__(
        self, host: str, port: int, ready: Callable[[], Sequence[str]] | None = None
    ) -> None:
        self._where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._ready = ready

    @property
    def url(self) -> str:
        return f"http://{self._where}"

    def describe(self) -> str:
        return f"{self._kind} {self._where}"

    def behind(self) -> str:
        if self._ready is None:
            return ""
        pods = self._ready()
        if len(pods) == 1:
            return f"Pod/{pods[0]}"
        return f"one of {len(pods)} pods" if pods else "no ready pod"

    def renew(self) -> None:
        """Nothing to do: kube-proxy sends new connections to pods that are ready."""

    def close(self) -> None:
        """Nothing to do: the port belongs to the cluster."""


class NodePortRoute(_ServiceRoute):
    """To a node port that is published on an address of this machine."""

    _kind = "node port"


class LoadBalancerRoute(_ServiceRoute):
    """To the address that a provider of load balancers gave to the Service."""

    _kind = "load balancer"


class Forward(Protocol):
    """An open port-forward: `kube.PortForward`."""

    @property
    def local_port(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def close(self) -> None: ...


class PortForwardRoute:
    """To one ready pod; another is picked when that one is going, or gone.

    `pick` names a ready pod, or gives None while there is none. `forward` opens a port-forward to
    the pod of that name. `stays` tells whether a pod is still there, and not about to go: asked
    before each request, so that a request does not have to fail first.
    """

    through_service = False

    def __init__(
        self,
        pick: Callable[[], str | None],
        forward: Callable[[str], Forward],
        stays: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._pick = pick
        self._open = forward
        self._stays = stays
        self._forward: Forward | None = None
        self._pod = ""

    @property
    def url(self) -> str:
        if self._forward is None or not self._forward.alive or not self._stays(self._pod):
            self.close()
            self._pod = self._pick() or ""
            if not self._pod:
                raise HttpExpectationError("there is no ready pod to forward a port to")
            self._forward = self._open(self._pod)
        return f"http://127.0.0.1:{self._forward.local_port}"

    def describe(self) -> str:
        if self._forward is None:
            return "port-forward, not open"
        return f"port-forward 127.0.0.1:{self._forward.local_port}"

    def behind(self) -> str:
        return f"Pod/{self._pod}" if self._pod else "no ready pod"

    def renew(self) -> None:
        """Give the forward up if it died, or if another pod is the one to pick by now."""
        if self._forward is not None and (
            not self._forward.alive or self._pick() not in (self._pod, None)
        ):
            self.close()

    def close(self) -> None:
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.close()
