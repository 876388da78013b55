"""The way to a Service of the deployment under test."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import Object, ObjectRef, State, dig
from seatrial.harness.cluster import Cluster
from seatrial.http import Endpoint, NodePortRoute, PortForwardRoute, Route
from seatrial.kube import PortForward
from seatrial.readiness import diagnose
from seatrial.readiness.status import status

__all__ = ["Http"]


@dataclass(frozen=True)
class Http:
    """Endpoints of one namespace: `k8s_http.service("flask", port=5000).get("/")`."""

    cluster: Cluster
    namespace: str
    timeout: float = 10.0
    """Seconds for which an endpoint goes on asking."""

    def service(self, name: str, *, port: int, route: str = "") -> Endpoint:
        """An endpoint that leads to a port of a Service, from outside the cluster.

        `route` is `node-port` (through the Service, at a port of 127.0.0.1) or `port-forward` (to
        one ready pod behind it); by default the first of them that is possible.

        Raises `ConfigurationError` for a Service or a port that is not there.
        """
        service = self.cluster.objects.get("v1", "Service", name, self.namespace)
        if service is None:
            raise ConfigurationError(
                f"there is no Service/{name} in namespace {self.namespace}",
                hint="deploy it first: k8s_deploy(…)",
            )
        return Endpoint(
            self._route(service, _port(service, port), route),
            deadline=self.timeout,
            gave_up=lambda: self._gave_up(service),
        )

    def _route(self, service: Object, port: Object, wanted: str) -> Route:
        if wanted not in ("", "node-port", "port-forward"):
            raise ConfigurationError(
                f"there is no route {wanted!r}", hint="node-port, port-forward, or none given"
            )
        node_port = dig(port, "nodePort", default=0)
        published = self.cluster.handle.host_port(node_port) if node_port else None
        if wanted == "node-port" and published is None:
            raise ConfigurationError(
                f"{ObjectRef.of(service)} has no node port that is published on 127.0.0.1",
                details=f"type {dig(service, 'spec', 'type')}, node port {node_port or 'none'}",
                hint="make it of type NodePort or LoadBalancer, or ask for route='port-forward'",
            )
        if published is not None and wanted != "port-forward":
            return NodePortRoute("127.0.0.1", published)
        return PortForwardRoute(
            lambda: self._ready_pod(service),
            lambda pod: PortForward(
                self.cluster.kubectl_path,
                self.cluster.kubeconfig_path,
                self.namespace,
                pod,
                self._container_port(pod, port),
            ),
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

    def _ready_pod(self, service: Object) -> str | None:
        snapshot = self.cluster.hub.view(self.namespace).snapshot()
        for pod in self._selected(service):
            ref = ObjectRef.of(pod)
            if status(ref, snapshot).state is State.SATISFIED:
                return ref.name
        return None

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

    def _gave_up(self, service: Object) -> str | None:
        """Why no pod behind the Service will ever answer, if that is so."""
        snapshot = self.cluster.hub.view(self.namespace).snapshot()
        pods = self._selected(service)
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
