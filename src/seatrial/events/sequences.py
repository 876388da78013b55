"""Ready-made sequences of events, by the name of what happened.

    k8s_events.expect(FRESH_ROLLOUT, within=30)
    k8s_events.expect(ROLLING_UPDATE.of("Deployment/flask", replicas=3), within=60)

A sequence becomes a pattern when it is looked for: the ReplicaSets and Pods that it is about are
read from what the controllers told (`seatrial.events.scaling`), so that each step is expected on
the very Pod that it belongs to. Only causes are asserted: what one component does because of what
another one did, and what one component tells of one object. The docstring of each sequence says
who writes the events, and why they come in this order; file names are those of Kubernetes' source,
where 1.34 and 1.37 agree unless something is said of it.

The events must have been recorded from before the change on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from seatrial.core.errors import ConfigurationError
from seatrial.events.courses import (
    crash_loop,
    deletion,
    failed_pull,
    fresh,
    node_start,
    scale,
    update,
)
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import Pattern
from seatrial.events.scaling import Told

__all__ = [
    "CRASH_LOOP",
    "FAILED_PULL",
    "FRESH_ROLLOUT",
    "FRESH_ROLLOUT_WITH_PULL",
    "NODE_START",
    "POD_DELETION",
    "ROLLBACK",
    "ROLLING_UPDATE",
    "SCALE_DOWN",
    "SCALE_UP",
    "NamedSequence",
]

OWNERS = ("DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")


@dataclass(frozen=True)
class NamedSequence:
    """A sequence of events that has a name; give it to `Timeline.expect`.

    As it is, it is about any object of its kind: one of them suffices.
    """

    name: str
    kinds: tuple[str, ...]
    """Kinds of objects it can be about."""
    build: Callable[[Told, str, int | None], Pattern] = field(repr=False)
    """Makes the pattern, of what was told, for whom (as in `event(on=…)`), and how many."""
    on: str = ""
    """Whom it is about, as in `event(on=…)`."""
    replicas: int | None = None

    def of(self, ref: str, *, replicas: int | None = None) -> NamedSequence:
        """The same, of one object: `FRESH_ROLLOUT.of("Deployment/flask", replicas=3)`.

        `replicas` is how many Pods must have gone through it at least: after a rollout, an update
        or a scaling, as many as there must be; after a deletion, a crash or a failed pull, as many
        as it must have happened to. Raises `ConfigurationError` for an object of another kind.
        """
        kind, slash, name = ref.partition("/")
        if kind not in self.kinds or not slash or not name:
            raise ConfigurationError(
                f"{self.name}: {ref!r} names no {' or '.join(self.kinds)}",
                hint=f"such as {self.name}.of('{self.kinds[0]}/flask')",
            )
        if replicas is not None and (replicas < 0 or kind == "Node"):
            raise ConfigurationError(f"{self.name}: there is no {kind} with {replicas} replicas")
        return replace(self, on=ref, replicas=replicas)

    def pattern(self, occurrences: Sequence[Occurrence], *, tie: float) -> Pattern:
        """What it expects of a timeline with these occurrences."""
        return self.build(Told(occurrences, tie=tie), self.on, self.replicas)

    def __str__(self) -> str:
        return f"{self.name} of {self.on}" if "/" in self.on else self.name


def _named(
    name: str, build: Callable[[Told, str, int | None], Pattern], *kinds: str, on: str = ""
) -> NamedSequence:
    return NamedSequence(name, kinds, build, on or kinds[0])


FRESH_ROLLOUT = _named(
    "FRESH_ROLLOUT", lambda told, on, n: fresh(told, on, n, pull=False), "Deployment"
)
"""A new Deployment's Pods start, from an image that its nodes have.

| event | of | written by | because of |
|---|---|---|---|
| ScalingReplicaSet | Deployment | deployment-controller, `deployment/sync.go` | the Deployment |
| SuccessfulCreate | ReplicaSet | replicaset-controller, `controller_utils.go` | the ReplicaSet |
| Scheduled | Pod | default-scheduler, `schedule_one.go`, after the binding | the Pod |
| Pulled, "already present" | Pod | kubelet, `image_manager.go` | the binding |
| Created, Started | Pod | kubelet, `kuberuntime_container.go` | the same goroutine |

Each is told once the change it tells of has succeeded, so it cannot happen before its cause; but it
is written a little later, so that near ties across components count as in order. Each Pod is
followed by itself: nothing is said of one Pod before another, nor of one container before another.
"""

FRESH_ROLLOUT_WITH_PULL = _named(
    "FRESH_ROLLOUT_WITH_PULL", lambda told, on, n: fresh(told, on, n, pull=True), "Deployment"
)
"""A new Deployment's Pods start, and an image is pulled for one of them at least.

As FRESH_ROLLOUT, but for Pulling, which the kubelet (`image_manager.go`) tells before it asks the
runtime, and Pulled after the answer, in one goroutine for each container. A second Pod on the same
node may find the image there, so it needs no Pulling; where it has one, that comes before Pulled.
"""

ROLLING_UPDATE = _named(
    "ROLLING_UPDATE", lambda told, on, n: update(told, on, n, back=False), "Deployment"
)
"""A ReplicaSet that is new replaces the one before it, down to 0.

The deployment-controller (`deployment/rolling.go`) scales the new ReplicaSet up and the old one
down in steps, each told by a ScalingReplicaSet, all in one queue. Each step up leads to its Pods'
SuccessfulCreate, Scheduled, Pulled, Created and Started, as in FRESH_ROLLOUT (with a Pulling, where
there was one); each step down to its Pods' SuccessfulDelete (replicaset-controller) and Killing
(kubelet, `kuberuntime_container.go`). A Pod that never started anything needs no Killing.

How the steps interleave depends on maxSurge, maxUnavailable and which Pod is ready first, so
nothing is asserted of it; what is looked at are the steps from the new ReplicaSet's first one on.
Without `replicas` the number of steps is unknown, so it is enough that the old one is at 0.
"""

ROLLBACK = _named("ROLLBACK", lambda told, on, n: update(told, on, n, back=True), "Deployment")
"""As ROLLING_UPDATE, but to a ReplicaSet that was there before.

`kubectl rollout undo` writes the old template back; the deployment-controller finds the ReplicaSet
of that template (`deployment/sync.go`, `getNewReplicaSet`) and scales it up from 0. The events must
have been recorded since before it was scaled down, or it passes for a new one. Undoing an update
that got stuck scales nothing up from 0, so this does not hold of it.
"""

SCALE_UP = _named("SCALE_UP", lambda told, on, n: scale(told, on, n, up=True), "Deployment")
"""A Deployment gets more replicas: the latest such step, and its Pods' way to Started.

Written by the same components as FRESH_ROLLOUT, for the same reason. It is told from an update by
the other ReplicaSets, which have no replicas. The ReplicaSet's controller works towards the latest
number, so a step that another one follows at once may never show in Pods.
"""

SCALE_DOWN = _named("SCALE_DOWN", lambda told, on, n: scale(told, on, n, up=False), "Deployment")
"""A Deployment gets fewer replicas: the latest such step, and the end of as many Pods.

ScalingReplicaSet (deployment-controller), SuccessfulDelete (replicaset-controller, once the API
server has the deletion), Killing (kubelet, once it sees it: up to a second later, or a moment
before SuccessfulDelete is written). Which Pods go is the ReplicaSet's choice
(`ActivePodsWithRanks`, `controller_utils.go`). A Pod that never started anything needs no Killing.
"""

POD_DELETION = _named("POD_DELETION", deletion, "Deployment")
"""A Pod was deleted by someone, and its ReplicaSet replaces it.

Killing (kubelet) is one effect of the deletion, SuccessfulCreate (replicaset-controller) with the
new Pod's Scheduled … Started the other; neither causes the other, so they may come in any order. A
Pod that its ReplicaSet deleted, or a container that its probe killed, does not count.
"""

NODE_START = _named("NODE_START", node_start, "Node")
"""A node joins the cluster and becomes ready.

The kubelet tells Starting before its loops run (`BirthCry`, `cmd/kubelet/app/server.go`), the
conditions NodeHasSufficientMemory, NodeHasNoDiskPressure and NodeHasSufficientPID when it first
fills in its Node, and NodeReady when that changes from not ready (`nodestatus/setters.go`): a
kubelet that is ready when it registers tells none. NodeAllocatableEnforced comes from a goroutine
that retries (`node_container_manager_linux.go`), and RegisteredNode from the node-controller once
it sees the Node, so both are only held to come after Starting. kube-proxy is not part of it.
"""

CRASH_LOOP = _named("CRASH_LOOP", crash_loop, *OWNERS, on="Pod")
"""A container ends again and again: two starts at least, then BackOff of type Warning.

All by the kubelet, of one container: `doBackOff` (`kuberuntime_manager.go`) lets the first restart
pass, since there is no entry to wait for yet, and tells BackOff from the second on. Not for what
was listed: of a counted Event, only the latest time is known.
"""

FAILED_PULL = _named("FAILED_PULL", failed_pull, *OWNERS, on="Pod")
"""An image cannot be pulled: Scheduled, Pulling, Failed ("Failed to pull image"), BackOff (Normal).

Scheduled by the scheduler, the others by the kubelet of one container (`image_manager.go`):
Pulling, the runtime's answer, and BackOff at the next attempt before its time.
"""
