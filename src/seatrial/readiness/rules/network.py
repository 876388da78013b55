"""The ways to an application: Service and Ingress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.wording import listed

__all__ = ["endpoints", "ingress", "selected_workloads", "service"]

#: what makes pods from a template; a ReplicaSet of a Deployment says the same as its Deployment
_TEMPLATED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


def service(obj: Object, ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    """It has an endpoint that is ready, so EndpointSlices have to be watched.

    One is enough for one of its ports; the message says which of them lead nowhere.

    Not asked for: an address from a load balancer, which few test clusters have (the message says
    whether there is one); endpoints of a Service that selects nothing, or whose workloads are all
    scaled to nothing.
    """
    if dig(obj, "spec", "type") == "ExternalName":
        name = dig(obj, "spec", "externalName", default="?")
        return Verdict.satisfied("Exists", f"it stands for {name}", object=ref)
    selector = dig(obj, "spec", "selector", default={})
    if not selector:
        return Verdict.satisfied("Exists", "it exists, and selects no pods", object=ref)
    ready, total = endpoints(snapshot, obj)
    message = f"Endpoints: {ready}/{total} ready" if total else "Endpoints: none yet"
    unserved = _unserved(snapshot, obj)
    if ready:
        more = f", none for {listed(unserved)}" if unserved else ""
        return Verdict.satisfied("HasEndpoints", message + more + _balancer(obj), object=ref)
    if unserved and (lost := _count(_slices(snapshot, obj))[1]):
        message = f"Endpoints: {lost}, and none has {listed(unserved)}"
        return Verdict.waiting("NoEndpoints", message, object=ref)
    idle = list(selected_workloads(snapshot, ref.namespace, selector))
    if idle and not total and all(dig(each, "spec", "replicas") == 0 for each in idle):
        message = f"Endpoints: none, as {ObjectRef.of(idle[0])} is scaled to nothing"
        return Verdict.satisfied("ScaledToNothing", message, object=ref)
    return Verdict.waiting("NoEndpoints", message, object=ref)


def _balancer(obj: Object) -> str:
    if dig(obj, "spec", "type") != "LoadBalancer":
        return ""
    addresses = _addresses(obj)
    return f", at {addresses}" if addresses else ", no address from a load balancer"


def _addresses(obj: Object) -> str:
    given = dig(obj, "status", "loadBalancer", "ingress", default=[])
    return ", ".join(str(each.get("ip") or each.get("hostname")) for each in given)


def selected_workloads(
    snapshot: Snapshot, namespace: str, selector: Object, kinds: Iterable[str] = _TEMPLATED
) -> Iterator[Object]:
    """The workloads of these kinds whose pods the selector selects; ReplicaSets of a Deployment are
    left out."""
    for kind in kinds:
        for obj in snapshot.all(kind, namespace):
            labels = dig(obj, "spec", "template", "metadata", "labels", default={})
            if selector.items() <= labels.items() and not dig(obj, "metadata", "ownerReferences"):
                yield obj


def endpoints(snapshot: Snapshot, service: Object) -> tuple[int, int]:
    """How many endpoints are ready, of how many; by the API an unknown `ready` counts as ready.

    Those that have none of the Service's ports lead nowhere, and do not count: the targetPort is a
    name then that no container of their pods has. Of a headless Service all count, as it gives out
    their addresses alone.
    """
    pieces = _slices(snapshot, service)
    if (wanted := _port_names(service)) is not None:
        pieces = [each for each in pieces if wanted & _served(each)]
    return _count(pieces)


def _count(pieces: Iterable[Object]) -> tuple[int, int]:
    found = [endpoint for piece in pieces for endpoint in dig(piece, "endpoints", default=[])]
    ready = [each for each in found if dig(each, "conditions", "ready", default=True)]
    return len(ready), len(found)


def _slices(snapshot: Snapshot, service: Object) -> list[Object]:
    ref = ObjectRef.of(service)
    return [
        piece
        for piece in snapshot.all("EndpointSlice", ref.namespace)
        if dig(piece, "metadata", "labels", "kubernetes.io/service-name") == ref.name
    ]


def _port_names(service: Object) -> set[str] | None:
    """The names of the Service's ports, under which the slices have them; None for a headless one,
    whose ports lead nowhere by themselves."""
    ports = dig(service, "spec", "ports", default=[])
    if dig(service, "spec", "clusterIP") == "None" or not ports:
        return None
    return {str(port.get("name") or "") for port in ports}


def _served(piece: Object) -> set[str]:
    return {str(port.get("name") or "") for port in dig(piece, "ports", default=[])}


def _unserved(snapshot: Snapshot, service: Object) -> list[str]:
    """The Service's ports that none of its endpoints has, as `port metrics (targetPort web)`."""
    pieces = [piece for piece in _slices(snapshot, service) if dig(piece, "endpoints", default=[])]
    names = _port_names(service)
    if not pieces or names is None:
        return []
    missing = names.difference(*map(_served, pieces))
    return [
        f"port {port.get('name') or port.get('port')} "
        f"(targetPort {port.get('targetPort', port.get('port'))})"
        for port in dig(service, "spec", "ports", default=[])
        if str(port.get("name") or "") in missing
    ]


def ingress(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """It is ready when it exists; the message says whether it has an address.

    That comes from an ingress controller, which a cluster may well lack, and which may serve the
    Ingress without ever giving one. Whether it answers, only a request tells.
    """
    addresses = _addresses(obj) or "none (an ingress controller would give one)"
    return Verdict.satisfied("Exists", f"Address: {addresses}", object=ref)
