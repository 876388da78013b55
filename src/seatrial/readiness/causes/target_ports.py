"""A Service whose targetPort is a name that no container of its pods has.

The EndpointSlice has the pods then, and no port; kube-proxy sends nothing to them, and nothing says
why. A targetPort that is a number needs no containerPort: whether somebody listens there, only a
request tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.core.model import Object, dig
from seatrial.core.spelling import did_you_mean
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.wording import listed
from seatrial.readiness.workload import Workload

__all__ = ["ContainerPort", "container_ports", "find", "of_port"]

#: seconds: who makes these pods is not known here, and may be about to replace them
UNKNOWN_OWNER_GRACE = 15.0


def find(workload: Workload) -> Iterator[Finding]:
    """At most one, for the first such port. A headless Service gives out addresses alone."""
    if workload.root.kind != "Service" or dig(workload.object, "spec", "clusterIP") == "None":
        return
    for port in dig(workload.object, "spec", "ports", default=[]):
        if found := of_port(workload, port):
            yield found
            return


def of_port(workload: Workload, port: Object) -> Finding | None:
    """The same for one port of the Service; None where its targetPort is there, or a number.

    It cannot heal: a pod's ports never change.
    """
    pods = workload.current.pods
    name, protocol = port.get("targetPort"), port.get("protocol", "TCP")
    there = list(dict.fromkeys(each for pod in pods for each in container_ports(pod.object)))
    named = [each for each in there if each.name]
    if (
        not pods
        or not isinstance(name, str)
        or any((each.name, each.protocol) == (name, protocol) for each in named)
    ):
        return None
    hint = did_you_mean(name, [each.name for each in named])
    return Finding(
        "TargetPortMissing",
        workload.root,
        f"{workload.root} leads its port {port.get('port')} to a container's port {name!r} "
        f"({protocol}), and no container of its pods has one of that name",
        evidence=(f"the ports of the containers: {listed(list(map(str, there))) or 'none'}",),
        hint=hint or "targetPort is the name of a containerPort, or a number",
        grace=0.0 if all(map(_is_of_a_known_owner, pods)) else UNKNOWN_OWNER_GRACE,
    )


@dataclass(frozen=True)
class ContainerPort:
    """A port that a container names in its specification. `str()` is for a person."""

    number: int
    protocol: str
    name: str
    container: str

    def __str__(self) -> str:
        return f"{self.name or 'no name'} ({self.number}, {self.protocol}) of {self.container}"


def container_ports(pod: Object) -> Iterator[ContainerPort]:
    """Those of the pod's containers, of sidecars too."""
    sidecars = [
        container
        for container in dig(pod, "spec", "initContainers", default=[])
        if container.get("restartPolicy") == "Always"
    ]
    for container in (*dig(pod, "spec", "containers", default=[]), *sidecars):
        for port in dig(container, "ports", default=[]):
            yield ContainerPort(
                int(port["containerPort"]),
                port.get("protocol", "TCP"),
                port.get("name", ""),
                f"container {container.get('name')}",
            )


def _is_of_a_known_owner(pod: PodView) -> bool:
    """Whether it is known that the pod's template is the newest; nobody replaces a bare pod."""
    if pod.owner is None:
        return True
    owner = pod.snapshot.get(pod.owner.kind, pod.owner.name, pod.namespace)
    uppers = dig(owner, "metadata", "ownerReferences", default=[])
    return owner is not None and all(upper.get("kind") == "Deployment" for upper in uppers)
