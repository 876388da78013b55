"""The patterns of the ready-made sequences, made of what has been told so far.

What is still to come is expected as well: a leaf that nothing matches stands for it, and says in
its text what it is. So a sequence is waited for like any pattern, and its mismatch reads like one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import Pattern, any_order, event, in_order, one_of, optional, repeated
from seatrial.events.scaling import PodChange, Step, Told, Turn
from seatrial.events.wordings import Wording, image_already_present

__all__ = [
    "crash_loop",
    "deletion",
    "failed_pull",
    "fresh",
    "node_start",
    "scale",
    "update",
]

PULLED = "Successfully pulled image"
"""What Pulled says only if there was a Pulling."""

STOPPING = "Stopping container"
"""What Killing says of a Pod that goes; where a probe failed, it says that instead."""


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


def fresh(told: Told, on: str, replicas: int | None, *, pull: bool) -> Pattern:
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


def update(told: Told, on: str, replicas: int | None, *, back: bool) -> Pattern:
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


def scale(told: Told, on: str, replicas: int | None, *, up: bool) -> Pattern:
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


def deletion(told: Told, on: str, replicas: int | None) -> Pattern:
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


def crash_loop(told: Told, on: str, replicas: int | None) -> Pattern:
    def build(pod: str, container: str) -> Pattern:
        return in_order(
            repeated(event("Started", container=container), at_least=2),
            event("BackOff", type="Warning", container=container),
            on=pod,
        )

    return _in_pods(told, on, replicas, build, "Warning")


def failed_pull(told: Told, on: str, replicas: int | None) -> Pattern:
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


def node_start(told: Told, on: str, replicas: int | None) -> Pattern:  # noqa: ARG001 - has none
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
