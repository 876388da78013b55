"""The way to a Service of the deployment under test."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError, HttpExpectationError
from seatrial.core.feed import wait_on
from seatrial.core.model import Object, ObjectRef, State, dig
from seatrial.events import Timeline
from seatrial.harness.cluster import Cluster
from seatrial.harness.probing import ServiceProbe
from seatrial.http import Endpoint, LoadBalancerRoute, NodePortRoute, PortForwardRoute, Route
from seatrial.kube import PortForward
from seatrial.readiness import diagnose
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


@dataclass(frozen=True)
class Http:
    """Endpoints of one namespace: `k8s_http.service("flask", port=5000).get("/")`."""

    cluster: Cluster
    namespace: str
    timeout: float = 10.0
    """Seconds for which an endpoint goes on asking."""

    def service(self, name: str, *, port: int, route: str = "", **options: Any) -> Endpoint:
        """An endpoint that leads to a port of a Service, from outside the cluster.

        `route`: `node-port` (through the Service, at a port of 127.0.0.1), `port-forward` (to one
        ready pod behind it) or `load-balancer` (to the address that it was given). By default the
        first of the first two that is possible: an address may be out of this machine's reach.
        `options` are those of `Endpoint`, such as `deadline`, `timeout`, `retry_statuses`.

        Raises `ConfigurationError` for a Service, a port or a route that is not there.
        """
        service = self._service(name)
        return Endpoint(
            self._route(service, _port(service, port), route),
            gave_up=lambda: self._gave_up(self._selected(service)),
            replicas=lambda: self._replicas(service, _port(service, port)),
            **{"deadline": self.timeout, **options},
        )

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
                "LoadBalancer",
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

    def _service(self, name: str) -> Object:
        service = self.cluster.objects.get("v1", "Service", name, self.namespace)
        if service is None:
            raise ConfigurationError(
                f"there is no Service/{name} in namespace {self.namespace}",
                hint="deploy it first: k8s_deploy(…)",
            )
        return service

    def _route(self, service: Object, port: Object, wanted: str) -> Route:
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
            lambda pod: self._forward(pod, port),
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

    def _forward(self, pod: str, port: Object) -> PortForward:
        return PortForward(
            self.cluster.kubectl_path,
            self.cluster.kubeconfig_path,
            self.namespace,
            pod,
            self._container_port(pod, port),
        )

    def _selected(self, service: Object) -> list[Object]:
        selector = dig(service, "spec", "selector", default={})
        pods = self.cluster.hub.view(self.namespace).snapshot().all("Pod", self.namespace)
        return [
            pod
            for pod in pods
            if selector
            and selector.items() <= dig(pod, "metadata", "labels", default={}).items()
            and not dig(pod, "metadata", "deletionTimestamp")
        ]

    def _ready(self, service: Object) -> list[str]:
        """The names of the ready pods that the Service selects."""
        snapshot = self.cluster.hub.view(self.namespace).snapshot()
        refs = [ObjectRef.of(pod) for pod in self._selected(service)]
        return [ref.name for ref in refs if status(ref, snapshot).state is State.SATISFIED]

    def _stays(self, pod: str) -> bool:
        """Whether a pod is there, and neither ended nor about to."""
        found = self.cluster.hub.view(self.namespace).snapshot().get("Pod", pod, self.namespace)
        return (
            found is not None
            and not dig(found, "metadata", "deletionTimestamp")
            and dig(found, "status", "phase") not in ("Succeeded", "Failed")
        )

    def _replicas(self, service: Object, port: Object) -> Iterator[tuple[str, Endpoint]]:
        """The pods that are ready now; a port-forward is opened by the first request."""
        for name in self._ready(service):
            yield name, self._replica(name, port)

    def _replica(self, pod: str, port: Object) -> Endpoint:
        route = PortForwardRoute(
            lambda: pod if self._stays(pod) else None, lambda pod: self._forward(pod, port)
        )

        def gave_up() -> str | None:
            if not self._stays(pod):
                return f"Pod/{pod} is gone, or going"
            found = self.cluster.hub.view(self.namespace).snapshot().get("Pod", pod, self.namespace)
            return self._gave_up([found] if found else [])

        return Endpoint(route, deadline=self.timeout, gave_up=gave_up)

    def _container_port(self, pod: str, port: Object) -> int:
        """The number of the target port, which may be the name of a container's port."""
        target = dig(port, "targetPort", default=port["port"])
        if isinstance(target, int):
            return target
        found = self.cluster.objects.get("v1", "Pod", pod, self.namespace)
        for container in dig(found, "spec", "containers", default=[]):
            for named in dig(container, "ports", default=[]):
                if named.get("name") == target:
                    return int(named["containerPort"])
        raise ConfigurationError(
            f"no container of Pod/{pod} has a port named {target!r}",
            hint="the Service's targetPort must be the name of a containerPort, or a number",
        )

    def _gave_up(self, pods: Collection[Object]) -> str | None:
        """Why none of these pods will ever answer, if that is so."""
        snapshot = self.cluster.hub.view(self.namespace).snapshot()
        reasons = []
        for pod in pods:
            # a first crash may be the last, and what has a grace may heal
            found = diagnose(snapshot, ObjectRef.of(pod))
            certain = [f for f in found if f.grace == 0 and f.crashes != 1]
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
