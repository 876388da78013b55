"""A pod and its containers as the diagnosis reads them: specification, status and events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seatrial.core.model import Object, ObjectRef, Snapshot, dig
from seatrial.readiness.events import event_line, events_about, latest_of_each
from seatrial.readiness.finding import Finding
from seatrial.readiness.wording import one_line

__all__ = ["ContainerView", "PodView"]

#: events that the kubelet writes only once the pod's volumes and its sandbox are there
_AFTER_SANDBOX = frozenset({"Pulling", "Pulled", "Created", "Started", "Failed", "BackOff"})


@dataclass(frozen=True)
class PodView:
    """One pod, seen from the object that is being waited for (`root`)."""

    snapshot: Snapshot
    object: Object
    root: ObjectRef

    @cached_property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.object)

    @cached_property
    def owner(self) -> ObjectRef | None:
        """Its controller."""
        for owner in dig(self.object, "metadata", "ownerReferences", default=[]):
            if owner.get("controller"):
                return ObjectRef(
                    owner.get("kind", ""),
                    owner.get("name", ""),
                    self.ref.namespace,
                    owner.get("uid", ""),
                )
        return None

    @property
    def owner_uid(self) -> str:
        return self.owner.uid if self.owner else ""

    @cached_property
    def events(self) -> list[Object]:
        return events_about(self.snapshot, self.ref)

    @cached_property
    def containers(self) -> list[ContainerView]:
        """Init containers first, in the order in which the kubelet starts them."""
        return [*self._views("initContainers", True), *self._views("containers", False)]

    def _views(self, field: str, first: bool) -> Iterator[ContainerView]:
        statuses = {
            status.get("name"): status
            for status in dig(
                self.object,
                "status",
                "initContainerStatuses" if first else "containerStatuses",
                default=[],
            )
        }
        for spec in dig(self.object, "spec", field, default=[]):
            name = spec.get("name", "")
            yield ContainerView(self, name, spec, statuses.get(name, {}), field)

    @property
    def namespace(self) -> str:
        return self.ref.namespace

    @property
    def phase(self) -> str:
        return str(dig(self.object, "status", "phase", default="Pending"))

    @property
    def restarts_always(self) -> bool:
        return bool(dig(self.object, "spec", "restartPolicy", default="Always") == "Always")

    def condition(self, kind: str) -> Object:
        """The status condition of that type; empty if there is none."""
        for condition in dig(self.object, "status", "conditions", default=[]):
            if condition.get("type") == kind:
                found: Object = condition
                return found
        return {}

    def events_of(self, *reasons: str) -> list[Object]:
        return [event for event in self.events if event.get("reason") in reasons]

    @property
    def has_sandbox(self) -> bool:
        """Whether the pod got past its volumes and its network, by any sign of that."""
        if self.condition("PodReadyToStartContainers").get("status") == "True":
            return True
        if any(container.status.get("containerID") for container in self.containers):
            return True
        return bool(self.events_of(*_AFTER_SANDBOX))

    def finding(self, cause: str, message: str, **more: Any) -> Finding:
        """A finding about this pod."""
        return Finding(cause, self.ref, one_line(message), owner=self.owner, **more)

    @property
    def whose(self) -> str:
        """` of Pod/x`, or nothing where the pod itself is what is waited for."""
        return "" if self.root.kind == "Pod" else f" of {self.ref}"


@dataclass(frozen=True)
class ContainerView:
    """One container of a pod."""

    pod: PodView
    name: str
    spec: Object
    status: Object
    field: str
    """`containers` or `initContainers`."""

    @property
    def is_init(self) -> bool:
        """Whether it has to end before the others start (a sidecar has not)."""
        return self.field == "initContainers" and self.spec.get("restartPolicy") != "Always"

    @property
    def image(self) -> str:
        return str(self.spec.get("image", "?"))

    @property
    def waiting_reason(self) -> str:
        return str(dig(self.status, "state", "waiting", "reason", default=""))

    @property
    def waiting_message(self) -> str:
        return str(dig(self.status, "state", "waiting", "message", default=""))

    @property
    def is_running(self) -> bool:
        return dig(self.status, "state", "running") is not None

    @property
    def is_ready(self) -> bool:
        return bool(self.status.get("ready"))

    @property
    def is_done(self) -> bool:
        """Whether it has ended well and is not going to be started again."""
        code = dig(self.status, "state", "terminated", "exitCode")
        return code == 0 and (self.is_init or not self.pod.restarts_always)

    @property
    def ended(self) -> Object:
        """How it ended the last time; empty if it never did."""
        for state in ("state", "lastState"):
            terminated: Object = dig(self.status, state, "terminated", default={})
            if terminated:
                return terminated
        return {}

    @property
    def crashes(self) -> int:
        """How often it ended.

        `restartCount` grows only when the next run is created, so a container that waits for its
        restart has ended once more than it was restarted.
        """
        restarts = int(self.status.get("restartCount", 0))
        return restarts if self.is_running or not self.ended else restarts + 1

    def events_of(self, *reasons: str) -> list[Object]:
        """Its own events among those of the pod; `fieldPath` says whose one is."""
        path = f"spec.{self.field}{{{self.name}}}"
        return [
            event
            for event in self.pod.events_of(*reasons)
            if dig(event, "involvedObject", "fieldPath") == path
        ]

    def evidence(self, *reasons: str) -> tuple[str, ...]:
        """Its state, and its latest events with those reasons, as lines."""
        lines = []
        if self.waiting_reason:
            message = f": {self.waiting_message}" if self.waiting_message else ""
            lines.append(f"container {self.name} waits: {self.waiting_reason}{message}")
        if self.ended:
            code, reason = self.ended.get("exitCode", "?"), self.ended.get("reason", "")
            message = f": {self.ended['message']}" if self.ended.get("message") else ""
            lines.append(f"container {self.name} ended: exit code {code}, {reason}{message}")
        lines += [event_line(event) for event in latest_of_each(self.events_of(*reasons))[-3:]]
        return tuple(one_line(line) for line in lines)
