"""The way to a Service of the deployment under test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from seatrial.core.clock import Clock, Deadline
from seatrial.core.errors import ConfigurationError, HttpExpectationError
from seatrial.core.feed import wait_on
from seatrial.core.model import Object, ObjectRef, Snapshot, State, dig
from seatrial.events import Timeline
from seatrial.harness.cluster import Cluster
from seatrial.harness.ports import ClosedPort, TargetPort
from seatrial.harness.probing import ServiceProbe
from seatrial.http import Endpoint, LoadBalancerRoute, NodePortRoute, PortForwardRoute, Route
from seatrial.kube import PortForward, is_closed_inside
from seatrial.readiness import diagnose
from seatrial.readiness.rules.network import selected_workloads
from seatrial.readiness.status import status

__all__ = ["ROUTES", "Http"]

#: the ways to a Service that can be asked for
ROUTES = ("node-port", "port-forward", "load-balancer")

#: what gives an address to Services of type LoadBalancer, where the cluster itself does not
ADDRESS_HINT = (
    "take route='node-port', which needs nobody's help: such a Service has a node port as well;\n"
    "or let something give out addresses: on kind, run cloud-provider-kind beside the cluster, or\n"
    "install MetalLB with addresses of the docker network; on minikube, run `minikube tunnel`"
)

#: kinds whose failure to make pods is looked at where a Service has none
MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


@dataclass(frozen=True)
class Http:
    """Endpoints of one namespace: `k8s_http.service("flask", port=5000).get("/")`.

    `close` closes all that it made and nobody closed; it is a context manager as well.
    """

    cluster: Cluster
    namespace: str
    timeout: float = 10.0
    """Seconds for which an endpoint goes on asking."""
    _made: list[Endpoint] = field(default_factory=list, init=False, repr=False, compare=False)

    def service(self, name: str, *, port: int, route: str = "", **options: Any) -> Endpoint:
        """An endpoint that leads to a port of a Service, from outside the cluster.

        `route`: `node-port` (through the Service, at a port of 127.0.0.1), `port-forward` (to one
        ready pod behind it) or `load-balancer` (to the address that it was given). By default the
        first of the first two that is possible: an address may be out of this machine's reach.
        `options` are those of `Endpoint`, such as `deadline`, `timeout`, `retry_statuses`.

        Raises `ConfigurationError` for a Service, a port or a route that is not there, and for a
        port whose targetPort is a name that no container has.
        """
        service = self._service(name)
        target = TargetPort(service, _port(service, port))
        target.check(self._snapshot())
        closed = ClosedPort(
            target,
            ready=lambda: self._ready_pods(service),
            is_closed=self._is_closed,
            clock=self._clock,
        )
        endpoint = Endpoint(
            self._route(target, route),
            gave_up=lambda: self._gave_up(target) or closed.verdict(endpoint.attempts),
            explain=closed.explain,
            replicas=lambda: self._replicas(target),
            **{"deadline": self.timeout, "clock": self._clock, **options},
        )
        self._made.append(endpoint)
        return endpoint

    def close(self) -> None:
        """Close every endpoint that was made here; any number of times."""
        while self._made:
            self._made.pop().close()

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def external_address(self, name: str, *, within: float = 0.0) -> str:
        """The address that a load balancer's provider gave to the Service; empty while there is
        none (kubectl shows `<pending>`), after `within` seconds of waiting for it.

        Raises `ConfigurationError` for a Service that is not there, or of another type.
        """
        service = self._service(name)
        if (kind := dig(service, "spec", "type", default="ClusterIP")) != "LoadBalancer":
            raise ConfigurationError(
                f"Service/{name} is of type {kind}, and so gets no address from a load balancer",
                hint="make it of type LoadBalancer, or take another route to it",
            )
        if address := _address(service):
            return address
        feed = self.cluster.hub.view(self.namespace)

        def look() -> str | None:
            return _address(feed.snapshot().get("Service", name, self.namespace) or {}) or None

        return wait_on(feed, look, Deadline.after(within, feed.clock)) or ""

    def assert_pending(self, name: str, *, port: int = 0) -> int:
        """Assert that a Service of type LoadBalancer waits for an address, and has a node port.

        So it is where nothing gives out addresses, as in a bare kind or minikube. Gives the node
        port of `port` (of the first one, by default), as kubectl shows it: `5000:30500/TCP`.

        Raises `HttpExpectationError` if it has an address or no node port, and
        `ConfigurationError` for a Service or a port that is not there, or one of another type.
        """
        if address := self.external_address(name):
            raise HttpExpectationError(
                f"Service/{name} does not wait for an address: it was given {address}"
            )
        service = self._service(name)
        first = dig(service, "spec", "ports", 0, default={})
        node_port = dig(_port(service, port) if port else first, "nodePort", default=0)
        if not node_port:
            raise HttpExpectationError(
                f"Service/{name} has no node port",
                hint="allocateLoadBalancerNodePorts is false in its spec",
            )
        return int(node_port)

    def probe(
        self,
        endpoint: Endpoint,
        path: str = "/",
        *,
        rate: float = 50.0,
        status: int | Collection[int] = 200,
        timeout: float = 5.0,
        keep_alive: bool = False,
        events: Timeline | None = None,
    ) -> ServiceProbe:
        """Ask the endpoint `rate` times a second while something is done to the deployment.

        `with k8s_http.probe(endpoint) as probe: release.rollout(…)`, and then
        `probe.assert_no_failures()`, whose text has the failed requests among the events. Each
        request has a connection of its own unless `keep_alive`; none is retried. One fails when no
        whole answer comes within `timeout` seconds, or its status is none of `status`. `events`:
        the timeline to show, by default that of the namespace.

        Raises `ConfigurationError` for an endpoint that does not lead through the Service.
        """
        if not endpoint.route.through_service:
            raise ConfigurationError(
                f"a probe has to go through the Service, not by a {endpoint.route.describe()}",
                details="a port-forward leads to one pod and ends with it; no client would notice",
                hint="k8s_http.service(…, route='node-port'), of a Service of type NodePort or "
                "LoadBalancer;\n"
                "on an existing cluster, where no node port is published: route='load-balancer'",
            )
        return ServiceProbe(
            f"{endpoint.url}/{path.lstrip('/')}",
            feed=self.cluster.hub.view(self.namespace),
            events=events or self.cluster.events(self.namespace),
            rate=rate,
            status=status,
            timeout=timeout,
            keep_alive=keep_alive,
        )

    # --- inside

    @property
    def _clock(self) -> Clock:
        return self.cluster.hub.view(self.namespace).clock

    def _snapshot(self) -> Snapshot:
        return self.cluster.hub.view(self.namespace).snapshot()

    def _service(self, name: str) -> Object:
        service = self.cluster.objects.get("v1", "Service", name, self.namespace)
        if service is None:
            raise ConfigurationError(
                f"there is no Service/{name} in namespace {self.namespace}",
                hint="deploy it first: k8s_deploy(…)",
            )
        return service

    def _route(self, target: TargetPort, wanted: str) -> Route:
        service, port = target.service, target.port
        if wanted not in ("", *ROUTES):
            raise ConfigurationError(
                f"there is no route {wanted!r}", hint=f"{', '.join(ROUTES)}, or none given"
            )
        if wanted == "load-balancer":
            return self._load_balancer(service, port)
        node_port = dig(port, "nodePort", default=0)
        published = self.cluster.handle.host_port(node_port) if node_port else None
        if wanted == "node-port" and published is None:
            raise ConfigurationError(
                f"{ObjectRef.of(service)} has no node port that is published on 127.0.0.1",
                details=f"type {dig(service, 'spec', 'type')}, node port {node_port or 'none'}",
                hint="make it of type NodePort or LoadBalancer, or ask for route='port-forward'",
            )
        if published is not None and wanted != "port-forward":
            return NodePortRoute("127.0.0.1", published, lambda: self._ready(service))
        return PortForwardRoute(
            lambda: next(iter(self._ready(service)), None),
            lambda pod: self._forward(pod, target),
            self._stays,
        )

    def _load_balancer(self, service: Object, port: Object) -> Route:
        name = ObjectRef.of(service).name
        address = self.external_address(name)
        if not address:
            raise ConfigurationError(
                f"Service/{name} has no address of a load balancer (yet)",
                details="status.loadBalancer.ingress is empty; kubectl shows <pending>",
                hint=f"wait for one: k8s_http.external_address({name!r}, within=30);\n"
                + ADDRESS_HINT,
            )
        return LoadBalancerRoute(address, port["port"], lambda: self._ready(service))

    def _forward(self, pod: str, target: TargetPort) -> PortForward:
        found = self._snapshot().get("Pod", pod, self.namespace) or {}
        return PortForward(
            self.cluster.kubectl_path,
            self.cluster.kubeconfig_path,
            self.namespace,
            pod,
            target.number_in(found),
        )

    def _is_closed(self, pod: str, port: int) -> bool:
        return is_closed_inside(
            self.cluster.kubectl_path, self.cluster.kubeconfig_path, self.namespace, pod, port
        )

    def _selected(self, service: Object) -> list[Object]:
        selector = dig(service, "spec", "selector", default={})
        return [
            pod
            for pod in self._snapshot().all("Pod", self.namespace)
            if selector
            and selector.items() <= dig(pod, "metadata", "labels", default={}).items()
            and not dig(pod, "metadata", "deletionTimestamp")
        ]

    def _ready_pods(self, service: Object) -> list[Object]:
        """The ready pods that the Service selects."""
        snapshot = self._snapshot()
        return [
            pod
            for pod in self._selected(service)
            if status(ObjectRef.of(pod), snapshot).state is State.SATISFIED
        ]

    def _ready(self, service: Object) -> list[str]:
        return [ObjectRef.of(pod).name for pod in self._ready_pods(service)]

    def _stays(self, pod: str) -> bool:
        """Whether a pod is there, and neither ended nor about to."""
        found = self._snapshot().get("Pod", pod, self.namespace)
        return (
            found is not None
            and not dig(found, "metadata", "deletionTimestamp")
            and dig(found, "status", "phase") not in ("Succeeded", "Failed")
        )

    def _replicas(self, target: TargetPort) -> Iterator[tuple[str, Endpoint]]:
        """The pods that are ready now; a port-forward is opened by the first request."""
        for name in self._ready(target.service):
            yield name, self._replica(name, target)

    def _replica(self, pod: str, target: TargetPort) -> Endpoint:
        route = PortForwardRoute(
            lambda: pod if self._stays(pod) else None, lambda pod: self._forward(pod, target)
        )

        def gave_up() -> str | None:
            if not self._stays(pod):
                return f"Pod/{pod} is gone, or going"
            return self._all_failed([ObjectRef("Pod", pod, self.namespace)])

        endpoint = Endpoint(route, deadline=self.timeout, gave_up=gave_up, clock=self._clock)
        self._made.append(endpoint)
        return endpoint

    def _gave_up(self, target: TargetPort) -> str | None:
        """Why nobody will ever answer there, if that is so."""
        try:
            target.check(self._snapshot())
        except ConfigurationError as error:
            return f"{error.cause} ({error.hint})"
        pods = self._selected(target.service)
        # where there are none, they may have been refused
        return self._all_failed(map(ObjectRef.of, pods or self._workloads(target.service)))

    def _workloads(self, service: Object) -> list[Object]:
        """What makes the pods that the Service selects."""
        selector = dig(service, "spec", "selector", default={})
        if not selector:
            return []
        return list(selected_workloads(self._snapshot(), self.namespace, selector, MAKERS))

    def _all_failed(self, refs: Iterable[ObjectRef]) -> str | None:
        """Why none of these pods, or of those that these make, will ever answer."""
        snapshot = self._snapshot()
        reasons = []
        for ref in refs:
            # a first crash may be the last, and what has a grace may heal
            certain = [f for f in diagnose(snapshot, ref) if f.grace == 0 and f.crashes != 1]
            if not certain:
                return None
            reasons.append(certain[0].message)
        return reasons[0] if reasons else None


def _port(service: Object, number: int) -> Object:
    ports: list[Object] = dig(service, "spec", "ports", default=[])
    for port in ports:
        if port["port"] == number:
            return port
    raise ConfigurationError(
        f"{ObjectRef.of(service)} has no port {number}",
        hint=f"it has {', '.join(str(port['port']) for port in ports) or 'none'}",
    )


def _address(service: Object) -> str:
    first = dig(service, "status", "loadBalancer", "ingress", 0, default={})
    return str(dig(first, "ip") or dig(first, "hostname", default=""))
