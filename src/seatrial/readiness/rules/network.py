"""The ways to an application: Service and Ingress."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig

__all__ = ["endpoints", "ingress", "service"]

#: what makes pods from a template; a ReplicaSet of a Deployment says the same as its Deployment
_TEMPLATED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


def service(obj: Object, ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    """It has an endpoint that is ready, so EndpointSlices have to be watched.

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
    ready, total = endpoints(snapshot, ref)
    message = f"Endpoints: {ready}/{total} ready" if total else "Endpoints: none yet"
    if ready:
        return Verdict.satisfied("HasEndpoints", message + _balancer(obj), object=ref)
    idle = list(_selected(snapshot, ref.namespace, selector))
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


def _selected(snapshot: Snapshot, namespace: str, selector: Object) -> Iterator[Object]:
    """The workloads whose pods the selector selects; ReplicaSets of a Deployment are left out."""
    for kind in _TEMPLATED:
        for obj in snapshot.all(kind, namespace):
            labels = dig(obj, "spec", "template", "metadata", "labels", default={})
            if selector.items() <= labels.items() and not dig(obj, "metadata", "ownerReferences"):
                yield obj


def endpoints(snapshot: Snapshot, service: ObjectRef) -> tuple[int, int]:
    """How many endpoints are ready, of how many; by the API an unknown `ready` counts as ready."""
    found = [
        endpoint
        for piece in snapshot.all("EndpointSlice", service.namespace)
        if dig(piece, "metadata", "labels", "kubernetes.io/service-name") == service.name
        for endpoint in dig(piece, "endpoints", default=[])
    ]
    ready = [e for e in found if dig(e, "conditions", "ready", default=True)]
    return len(ready), len(found)


def ingress(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """It is ready when it exists; the message says whether it has an address.

    That comes from an ingress controller, which a cluster may well lack, and which may serve the
    Ingress without ever giving one. Whether it answers, only a request tells.
    """
    addresses = _addresses(obj) or "none (an ingress controller would give one)"
    return Verdict.satisfied("Exists", f"Address: {addresses}", object=ref)
