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

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import Pattern, any_order, event, in_order, one_of, optional, repeated
from seatrial.events.scaling import PodChange, Step, Told, Turn
from seatrial.events.wordings import Wording, image_already_present

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

PULLED = "Successfully pulled image"
"""What Pulled says only if there was a Pulling."""

STOPPING = "Stopping container"
"""What Killing says of a Pod that goes; where a probe failed, it says that instead."""

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


# ---- parts of the patterns


def _untold(reason: str, on: str, what: str) -> Pattern:
    """A leaf for what has not been told yet: nothing matches it, and its text says what it is."""
    return event(reason, on=on, message=Wording(what, ()))


def _exactly(seen: Occurrence) -> Wording:
    # a part will not do: `from 0 to 1` stands in `from 0 to 10`
    return Wording(repr(seen.text), (re.escape(seen.text),))


def _each(patterns: Sequence[Pattern]) -> Pattern:
    return patterns[0] if len(patterns) == 1 else any_order(*patterns)


def _any(patterns: Sequence[Pattern]) -> Pattern:
    return patterns[0] if len(patterns) == 1 else one_of(*patterns)


def _step(step: Step) -> Pattern:
    # one scaling may have the same text as an earlier one; then its Event has counted on
    return event(
        "ScalingReplicaSet",
        on=str(step.deployment),
        message=_exactly(step.seen),
        count=step.seen.count,
    )


def _containers(told: Told, pod: str, *, present: bool = False) -> Pattern:
    """The kubelet's work on each container of a Pod, as far as its events name them."""
    on = f"Pod/{pod}"
    message = image_already_present() if present else None
    parts = []
    for container, its in told.containers(pod).items():
        reasons = {seen.reason for seen in its}
        if reasons & {"Pulling", "Pulled", "Created", "Started"}:
            pulled = "Pulling" in reasons or any(PULLED in seen.text for seen in its)
            pulling = ("Pulling",) if pulled and not present else ()
            parts.append(
                in_order(
                    *(event(reason, container=container) for reason in pulling),
                    event("Pulled", container=container, message=message),
                    event("Created", container=container),
                    event("Started", container=container),
                    on=on,
                )
            )
    return _each(parts or [in_order(event("Pulled", message=message), "Created", "Started", on=on)])


def _start(told: Told, pod: str, by: PodChange | None, *, present: bool = False) -> Pattern:
    """A Pod's way from its creation to the start of its containers."""
    return in_order(
        *([event(by.seen.reason, on=str(by.seen.object), message=_exactly(by.seen))] if by else []),
        event("Scheduled", on=f"Pod/{pod}"),
        _containers(told, pod, present=present),
    )


def _starts(told: Told, step: Step, *, present: bool = False) -> Iterator[Pattern]:
    """The ways of the Pods that a step up brought, as many as it says."""
    wanted = step.size
    replica_set = step.replica_set
    created = told.pods_of(step)
    for change in created:
        yield _start(told, change.pod, change, present=present)
    missing = range(len(created) + 1, wanted + 1)
    if told.tells_all(replica_set):
        if missing:
            yield _untold(
                "SuccessfulCreate",
                f"ReplicaSet/{replica_set}",
                f"Created pod: number {missing[0]} of {wanted}",
            )
        return
    # client-go has merged or dropped events of the ReplicaSet; those of the Pods are still there
    named = {change.pod for change in told.created(replica_set)}
    prefix = told.prefix(replica_set)
    others = [pod for pod in told.pods(prefix) if pod not in named]
    for number in missing:
        if others:
            yield _start(told, others.pop(0), None, present=present)
        else:
            yield _untold("Scheduled", f"Pod/{prefix}*", f"of Pod number {number} of {wanted}")
            return


def _up(told: Told, step: Step, *, present: bool = False) -> Pattern:
    return in_order(_step(step), _each([*_starts(told, step, present=present)]))


def _end(told: Told, change: PodChange) -> Pattern:
    """A Pod's deletion by its ReplicaSet, and the end of its containers."""
    deletion = event(change.seen.reason, on=str(change.seen.object), message=_exactly(change.seen))
    killing = event("Killing", on=f"Pod/{change.pod}", message=STOPPING)
    reasons = {seen.reason for seen in told.about("Pod", change.pod)}
    if "Scheduled" in reasons and "Started" not in reasons:
        # nothing of it ran, so there may be nothing to stop
        return in_order(deletion, optional(killing))
    return in_order(deletion, killing)


def _down(told: Told, step: Step) -> Pattern:
    wanted = step.size
    replica_set = step.replica_set
    deleted = told.pods_of(step)
    ends = [_end(told, change) for change in deleted]
    if len(deleted) < wanted and (told.tells_all(replica_set) or not deleted):
        ends.append(
            _untold(
                "SuccessfulDelete",
                f"ReplicaSet/{replica_set}",
                f"Deleted pod: number {len(deleted) + 1} of {wanted}",
            )
        )
    return in_order(_step(step), _each(ends))


# ---- the sequences themselves


def _of_deployments(
    told: Told, on: str, build: Callable[[ObjectRef], Pattern | None], untold: str
) -> Pattern:
    """The pattern of one of the Deployments that `on` names; one that nothing fits without any."""
    found = [build(deployment) for deployment in told.objects(on, "ScalingReplicaSet")]
    patterns = [pattern for pattern in found if pattern is not None]
    return _any(patterns or [_untold("ScalingReplicaSet", on, untold)])


def _fresh(told: Told, on: str, replicas: int | None, *, pull: bool) -> Pattern:
    def build(deployment: ObjectRef) -> Pattern | None:
        steps = told.steps(deployment)
        first = steps[0] if steps else None
        if first is None or first.before != 0 or replicas not in (None, first.after):
            return None
        rollout = _up(told, first, present=not pull)
        pods = [change.pod for change in told.pods_of(first)]
        if not pull or any(seen.reason == "Pulling" for p in pods for seen in told.about("Pod", p)):
            return rollout
        return any_order(
            rollout, _untold("Pulling", f"Pod/{told.prefix(first.replica_set)}*", "Pulling image …")
        )

    return _of_deployments(
        told, on, build, f"Scaled up replica set … from 0 to {_number(replicas)}, as the first step"
    )


def _update(told: Told, on: str, replicas: int | None, *, back: bool) -> Pattern:
    to = "that was there before" if back else "that is new"

    def build(deployment: ObjectRef) -> Pattern | None:
        turns = told.turns(deployment)
        rest = [turn for turn in turns if turn is not turns[0] or turn.downs]
        turn = next((turn for turn in reversed(rest) if turn.returns is back), None)
        return None if turn is None else _turn(told, turn, replicas)

    return _of_deployments(told, on, build, f"Scaled up replica set … ({to}) from 0 to …")


def _turn(told: Told, turn: Turn, replicas: int | None) -> Pattern:
    ups, downs = turn.ups, turn.downs
    parts = [_up(told, step) for step in ups]
    parts += [_down(told, step) for step in downs]
    untold = [
        f"Scaled … replica set {step.replica_set} from {step.left} to {step.before}"
        for step in (*ups[1:], *downs)
        if step.left not in (None, step.before)
    ]
    if replicas is not None and all(step.after < replicas for step in ups):
        untold.append(f"Scaled up replica set {turn.new} from … to {replicas}")
    if not downs:
        untold.append(f"Scaled down replica set … (other than {turn.new}) from … to 0")
    left = {step.replica_set: step.after for step in downs}
    untold += [
        f"Scaled down replica set {name} from {scale} to 0" for name, scale in left.items() if scale
    ]
    on = str(turn.steps[0].deployment)
    return any_order(*parts, *(_untold("ScalingReplicaSet", on, what) for what in untold))


def _scale(told: Told, on: str, replicas: int | None, *, up: bool) -> Pattern:
    def build(deployment: ObjectRef) -> Pattern | None:
        steps = [
            step
            for step in told.steps(deployment)
            if step.up is up and step.alone and (step.known or step.before)
        ]
        if not steps or replicas not in (None, steps[-1].after):
            return None
        return (_up if up else _down)(told, steps[-1])

    word = "up" if up else "down"
    return _of_deployments(
        told, on, build, f"Scaled {word} replica set … from … to {_number(replicas)}, alone"
    )


def _deletion(told: Told, on: str, replicas: int | None) -> Pattern:
    wanted = 1 if replicas is None else replicas

    def build(deployment: ObjectRef) -> Pattern | None:
        ups: dict[str, int] = {}
        for step in told.steps(deployment):
            ups[step.replica_set] = ups.get(step.replica_set, 0) + max(0, step.after - step.before)
        parts: list[Pattern] = []
        deletions = 0
        for replica_set, brought in ups.items():
            killed = _killed_by_others(told, replica_set)
            deletions += len(killed)
            parts += _replacements(told, replica_set, killed, brought)
        if deletions < wanted:
            what = f"Stopping container …, of Pod number {deletions + 1} that nobody scaled away"
            parts.append(_untold("Killing", f"Pod/{deployment.name}-*", what))
        return _each(parts) if ups else None

    return _of_deployments(told, on, build, "Scaled up replica set … from … to …")


def _killed_by_others(told: Told, replica_set: str) -> list[str]:
    deleted = {change.pod for change in told.deleted(replica_set)}
    return [
        pod
        for pod in told.pods(told.prefix(replica_set))
        if pod not in deleted and _stopped(told, pod)
    ]


def _replacements(
    told: Told, replica_set: str, killed: Sequence[str], brought: int
) -> Iterator[Pattern]:
    """The ends of Pods, and the ways of as many that were created beyond what was `brought`."""
    for pod in killed:
        yield event("Killing", on=f"Pod/{pod}", message=STOPPING)
    if not killed:
        return
    spare = told.created(replica_set)[brought:][-len(killed) :]
    for change in spare:
        yield _start(told, change.pod, change)
    if len(spare) < len(killed):
        what = f"Created pod: number {brought + len(spare) + 1}, scaled to {brought} only"
        yield _untold("SuccessfulCreate", f"ReplicaSet/{replica_set}", what)


def _stopped(told: Told, pod: str) -> bool:
    return any(
        seen.reason == "Killing" and STOPPING in seen.text for seen in told.about("Pod", pod)
    )


def _crash_loop(told: Told, on: str, replicas: int | None) -> Pattern:
    def build(pod: str, container: str) -> Pattern:
        return in_order(
            repeated(event("Started", container=container), at_least=2),
            event("BackOff", type="Warning", container=container),
            on=pod,
        )

    return _in_pods(told, on, replicas, build, "Warning")


def _failed_pull(told: Told, on: str, replicas: int | None) -> Pattern:
    def build(pod: str, container: str) -> Pattern:
        return in_order(
            "Scheduled",
            event("Pulling", container=container),
            event("Failed", type="Warning", container=container, message="Failed to pull image"),
            event("BackOff", type="Normal", container=container),
            on=pod,
        )

    return _in_pods(told, on, replicas, build, "Normal")


def _in_pods(
    told: Told, on: str, replicas: int | None, build: Callable[[str, str], Pattern], kind: str
) -> Pattern:
    """For each Pod with a BackOff of that type, what `build` says of that container."""
    pods = on if on.startswith("Pod") else f"Pod/{on.partition('/')[2]}-*"
    wanted = 1 if replicas is None else replicas
    found: dict[tuple[str, str], Pattern] = {}
    for ref in told.objects(pods, "BackOff"):
        for seen in told.about("Pod", ref.name):
            if seen.reason == "BackOff" and seen.type == kind:
                found.setdefault((str(ref), seen.container), build(str(ref), seen.container))
    parts = list(found.values())
    affected = len({pod for pod, _ in found})
    if affected < wanted:
        parts.append(_untold("BackOff", pods, f"of Pod number {affected + 1}"))
    return _each(parts)


def _node_start(told: Told, on: str, replicas: int | None) -> Pattern:  # noqa: ARG001 - has none
    def build(node: str) -> Pattern:
        return in_order(
            event("Starting", source="kubelet"),
            any_order(
                in_order(
                    any_order(
                        "NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"
                    ),
                    "NodeReady",
                ),
                "NodeAllocatableEnforced",
                event("RegisteredNode", source="node-controller"),
            ),
            on=node,
        )

    nodes = list(dict.fromkeys(str(ref) for ref in told.objects(on, "Starting")))
    return _any([build(node) for node in nodes or [on]])


def _number(replicas: int | None) -> str:
    return "…" if replicas is None else str(replicas)


def _named(
    name: str, build: Callable[[Told, str, int | None], Pattern], *kinds: str, on: str = ""
) -> NamedSequence:
    return NamedSequence(name, kinds, build, on or kinds[0])


FRESH_ROLLOUT = _named(
    "FRESH_ROLLOUT", lambda told, on, n: _fresh(told, on, n, pull=False), "Deployment"
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
    "FRESH_ROLLOUT_WITH_PULL", lambda told, on, n: _fresh(told, on, n, pull=True), "Deployment"
)
"""A new Deployment's Pods start, and an image is pulled for one of them at least.

As FRESH_ROLLOUT, but for Pulling, which the kubelet (`image_manager.go`) tells before it asks the
runtime, and Pulled after the answer, in one goroutine for each container. A second Pod on the same
node may find the image there, so it needs no Pulling; where it has one, that comes before Pulled.
"""

ROLLING_UPDATE = _named(
    "ROLLING_UPDATE", lambda told, on, n: _update(told, on, n, back=False), "Deployment"
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

ROLLBACK = _named("ROLLBACK", lambda told, on, n: _update(told, on, n, back=True), "Deployment")
"""As ROLLING_UPDATE, but to a ReplicaSet that was there before.

`kubectl rollout undo` writes the old template back; the deployment-controller finds the ReplicaSet
of that template (`deployment/sync.go`, `getNewReplicaSet`) and scales it up from 0. The events must
have been recorded since before it was scaled down, or it passes for a new one. Undoing an update
that got stuck scales nothing up from 0, so this does not hold of it.
"""

SCALE_UP = _named("SCALE_UP", lambda told, on, n: _scale(told, on, n, up=True), "Deployment")
"""A Deployment gets more replicas: the latest such step, and its Pods' way to Started.

Written by the same components as FRESH_ROLLOUT, for the same reason. It is told from an update by
the other ReplicaSets, which have no replicas. The ReplicaSet's controller works towards the latest
number, so a step that another one follows at once may never show in Pods.
"""

SCALE_DOWN = _named("SCALE_DOWN", lambda told, on, n: _scale(told, on, n, up=False), "Deployment")
"""A Deployment gets fewer replicas: the latest such step, and the end of as many Pods.

ScalingReplicaSet (deployment-controller), SuccessfulDelete (replicaset-controller, once the API
server has the deletion), Killing (kubelet, once it sees it: up to a second later, or a moment
before SuccessfulDelete is written). Which Pods go is the ReplicaSet's choice
(`ActivePodsWithRanks`, `controller_utils.go`). A Pod that never started anything needs no Killing.
"""

POD_DELETION = _named("POD_DELETION", _deletion, "Deployment")
"""A Pod was deleted by someone, and its ReplicaSet replaces it.

Killing (kubelet) is one effect of the deletion, SuccessfulCreate (replicaset-controller) with the
new Pod's Scheduled … Started the other; neither causes the other, so they may come in any order. A
Pod that its ReplicaSet deleted, or a container that its probe killed, does not count.
"""

NODE_START = _named("NODE_START", _node_start, "Node")
"""A node joins the cluster and becomes ready.

The kubelet tells Starting before its loops run (`BirthCry`, `cmd/kubelet/app/server.go`), the
conditions NodeHasSufficientMemory, NodeHasNoDiskPressure and NodeHasSufficientPID when it first
fills in its Node, and NodeReady when that changes from not ready (`nodestatus/setters.go`): a
kubelet that is ready when it registers tells none. NodeAllocatableEnforced comes from a goroutine
that retries (`node_container_manager_linux.go`), and RegisteredNode from the node-controller once
it sees the Node, so both are only held to come after Starting. kube-proxy is not part of it.
"""

CRASH_LOOP = _named("CRASH_LOOP", _crash_loop, *OWNERS, on="Pod")
"""A container ends again and again: two starts at least, then BackOff of type Warning.

All by the kubelet, of one container: `doBackOff` (`kuberuntime_manager.go`) lets the first restart
pass, since there is no entry to wait for yet, and tells BackOff from the second on. Not for what
was listed: of a counted Event, only the latest time is known.
"""

FAILED_PULL = _named("FAILED_PULL", _failed_pull, *OWNERS, on="Pod")
"""An image cannot be pulled: Scheduled, Pulling, Failed ("Failed to pull image"), BackOff (Normal).

Scheduled by the scheduler, the others by the kubelet of one container (`image_manager.go`):
Pulling, the runtime's answer, and BackOff at the next attempt before its time.
"""
