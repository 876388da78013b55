"""The port of the pods that a port of a Service leads to, and whether anybody listens there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from seatrial.core.clock import Clock
from seatrial.core.errors import ConfigurationError
from seatrial.core.model import Object, ObjectRef, Snapshot, dig
from seatrial.http import Attempt
from seatrial.readiness.causes.target_ports import container_ports, of_port
from seatrial.readiness.workload import Workload

__all__ = ["ClosedPort", "TargetPort"]

#: seconds between two looks into a pod: a look takes a tenth of one
LOOK_EVERY = 1.0
#: looks that have to find the port closed, one after another
LOOKS = 2


@dataclass(frozen=True)
class TargetPort:
    """A port of a Service, seen from its pods."""

    service: Object
    port: Object
    """The entry of the Service's `spec.ports`."""

    def check(self, snapshot: Snapshot) -> None:
        """Raise `ConfigurationError` where it is a name that no container has, for good."""
        workload = Workload.of(snapshot, ObjectRef.of(self.service))
        if workload is None:
            return
        # the Service may have been mended since
        for port in dig(workload.object, "spec", "ports", default=[]):
            if port["port"] != self.port["port"]:
                continue
            if (found := of_port(workload, port)) and not found.grace:
                raise ConfigurationError(
                    found.message, details="\n".join(found.evidence), hint=found.hint
                )

    def number_in(self, pod: Object) -> int:
        """The number of the target port, which may be the name of a container's port."""
        target = dig(self.port, "targetPort", default=self.port["port"])
        if isinstance(target, int):
            return target
        for each in container_ports(pod):
            if each.name == target:
                return each.number
        raise ConfigurationError(
            f"no container of {ObjectRef.of(pod)} has a port named {target!r}",
            hint="the Service's targetPort must be the name of a containerPort, or a number",
        )

    def is_stray_in(self, pod: Object) -> bool:
        """Whether the pod's containers name ports, and this is none of them.

        Such a port may be served all the same: to name ports is good manners, not more.
        """
        ports = [each.number for each in container_ports(pod)]
        return bool(ports) and self.number_in(pod) not in ports

    def closed_in(self, pod: Object) -> str:
        """That nobody listens there, in one line."""
        ports = ", ".join(map(str, container_ports(pod))) or "none"
        return (
            f"nothing listens on port {self.number_in(pod)} of {ObjectRef.of(pod)}, where "
            f"{ObjectRef.of(self.service)} leads its port {self.port['port']} "
            f"(the ports of the containers: {ports})"
        )


@dataclass
class ClosedPort:
    """Finds out in a pod itself whether the port is closed, while requests come to nothing.

    The way there may be at fault as well, kube-proxy most of all, which has yet to hear of the pod.
    What stands against that is a connection from the pod's own node.
    """

    target: TargetPort
    ready: Callable[[], Sequence[Object]]
    """The pods that are ready now."""
    is_closed: Callable[[str, int], bool]
    """Asked of a pod's name and a port."""
    clock: Clock
    _seen: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)

    def verdict(self, attempts: Sequence[Attempt]) -> str | None:
        """Why no request will be answered, if that is so.

        That nobody listens there says little by itself: an application may be starting again. It is
        certain where the pod says by its probes that it is ready, and names no such port.
        """
        if not attempts or attempts[-1].status:
            self._seen, self._due = 0, 0.0
            return None
        now = self.clock.monotonic()
        if now < (self._due or now + LOOK_EVERY):
            self._due = self._due or now + LOOK_EVERY
            return None
        self._due = now + LOOK_EVERY
        pods = [p for p in self.ready() if _is_probed(p) and self.target.is_stray_in(p)]
        if not pods or not self._closed(pods[0]):
            self._seen = 0
            return None
        self._seen += 1
        return self.target.closed_in(pods[0]) if self._seen >= LOOKS else None

    def explain(self) -> str:
        """The same as a hint, where it is less certain; nothing if the port is open."""
        pods = self.ready()
        if not pods or not self._closed(pods[0]):
            return ""
        return f"{self.target.closed_in(pods[0])};\ncompare targetPort with the application's own"

    def _closed(self, pod: Object) -> bool:
        return self.is_closed(ObjectRef.of(pod).name, self.target.number_in(pod))


def _is_probed(pod: Object) -> bool:
    """Whether each container says by a probe that it is ready; else it is so once it runs."""
    return all(
        "readinessProbe" in container for container in dig(pod, "spec", "containers", default=[])
    )
