"""What the controllers of a Deployment told of their work, read from the messages of their events.

The names of ReplicaSets and Pods stand in messages only: `Scaled up replica set flask-6d4 from 0 to
2` of the Deployment, `Created pod: flask-6d4-abc` of the ReplicaSet. These wordings are the same in
Kubernetes 1.33 to 1.37 (`deployment/sync.go`, `controller_utils.go`). As one controller tells of
one object in one queue, what is read here in the order of the timeline is in the order of the
work, and nothing has to be guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import names
from seatrial.events.precedence import moments_of

__all__ = ["MOST_TOLD", "Step", "Told", "Turn"]

MOST_TOLD = 25
"""Events that client-go lets through at once for each source, object and type (`defaultSpamBurst`);
later ones may be dropped."""

_SCALED = re.compile(r"Scaled (up|down) replica set (\S+) from (\d+) to (\d+)")
_POD = re.compile(r"(?:Created|Deleted) pod: (\S+)")
_LONGEST_BASE = 58
"""Characters that the API server keeps of a `generateName` before it appends five."""


@dataclass(frozen=True)
class Step:
    """One ReplicaSet was given another number of replicas."""

    seen: Occurrence
    moment: float
    deployment: ObjectRef
    replica_set: str
    before: int
    after: int
    alone: bool
    """No other ReplicaSet of the Deployment had replicas then, as far as was told."""
    left: int | None
    """What the ReplicaSet had after its step before, as far as was told."""

    @property
    def known(self) -> bool:
        """Had the ReplicaSet been scaled before, as far as was told?"""
        return self.left is not None

    @property
    def up(self) -> bool:
        return self.after > self.before

    @property
    def size(self) -> int:
        """How many Pods come or go."""
        return abs(self.after - self.before)


@dataclass(frozen=True)
class Turn:
    """A ReplicaSet's coming up from 0, with all the steps until another one comes up."""

    new: str
    steps: list[Step] = field(default_factory=list)

    @property
    def returns(self) -> bool:
        """Had this ReplicaSet been there before?"""
        return self.steps[0].known

    @property
    def downs(self) -> list[Step]:
        """The scaling down of the others."""
        return [step for step in self.steps if not step.up and step.replica_set != self.new]

    @property
    def ups(self) -> list[Step]:
        """The scaling up of the new one, which is over when the others are at 0."""
        over = self.downs[-1].seen.number if self.downs else 0
        ups = [step for step in self.steps if step.up and step.replica_set == self.new]
        return [step for step in ups if step.seen.number < over] or ups


@dataclass(frozen=True)
class PodChange:
    """A ReplicaSet created or deleted a Pod."""

    seen: Occurrence
    moment: float
    pod: str


class Told:
    """The occurrences of one timeline, by what they are about; of one namespace."""

    def __init__(self, occurrences: Sequence[Occurrence], *, tie: float) -> None:
        self.occurrences = occurrences
        self.tie = tie
        self._moments = moments_of(occurrences)
        self._steps: dict[ObjectRef, list[Step]] = {}

    @cached_property
    def _by_object(self) -> dict[tuple[str, str], list[int]]:
        places: dict[tuple[str, str], list[int]] = {}
        for place, seen in enumerate(self.occurrences):
            places.setdefault((seen.object.kind, seen.object.name), []).append(place)
        return places

    def about(self, kind: str, name: str) -> list[Occurrence]:
        """The occurrences about every object of that name."""
        return [self.occurrences[place] for place in self._by_object.get((kind, name), ())]

    def objects(self, on: str, reason: str) -> list[ObjectRef]:
        """Those which `on` names and that reason was told of, in the order of their first."""
        return list(
            dict.fromkeys(
                seen.object
                for seen in self.occurrences
                if seen.reason == reason and names(on, seen.object)
            )
        )

    def pods(self, prefix: str) -> list[str]:
        """The names of the Pods whose names begin so, in the order of their first event."""
        pods = (name for kind, name in self._by_object if kind == "Pod")
        return [name for name in pods if name.startswith(prefix)]

    def steps(self, deployment: ObjectRef) -> list[Step]:
        """The scaling steps of a Deployment, in their order."""
        if deployment not in self._steps:
            self._steps[deployment] = list(self._read_steps(deployment))
        return self._steps[deployment]

    def _read_steps(self, deployment: ObjectRef) -> Iterator[Step]:
        scales: dict[str, int] = {}
        for place in self._by_object.get((deployment.kind, deployment.name), ()):
            seen = self.occurrences[place]
            told = _SCALED.search(seen.message)
            if seen.object != deployment or seen.reason != "ScalingReplicaSet" or not told:
                continue
            replica_set, before, after = told[2], int(told[3]), int(told[4])
            others = [scale for name, scale in scales.items() if name != replica_set]
            yield Step(
                seen=seen,
                moment=self._moments[place],
                deployment=deployment,
                replica_set=replica_set,
                before=before,
                after=after,
                alone=not any(others),
                left=scales.get(replica_set),
            )
            scales[replica_set] = after

    def turns(self, deployment: ObjectRef) -> list[Turn]:
        """Its steps, parted where another ReplicaSet comes up from 0.

        One that comes back from 0 while it is the only one is scaled up; that is no turn.
        """
        turns: list[Turn] = []
        for step in self.steps(deployment):
            if step.up and step.before == 0 and not (step.known and step.alone):
                turns.append(Turn(step.replica_set))
            if turns:
                turns[-1].steps.append(step)
        return turns

    def created(self, replica_set: str) -> list[PodChange]:
        """The Pods that it told to have created, in that order."""
        return list(self._changes(replica_set, "SuccessfulCreate"))

    def deleted(self, replica_set: str) -> list[PodChange]:
        """The Pods that it told to have deleted, in that order."""
        return list(self._changes(replica_set, "SuccessfulDelete"))

    def _changes(self, replica_set: str, reason: str) -> Iterator[PodChange]:
        for place in self._by_object.get(("ReplicaSet", replica_set), ()):
            seen = self.occurrences[place]
            told = _POD.search(seen.message)
            if seen.reason == reason and told:
                yield PodChange(seen, self._moments[place], told[1])

    def pods_of(self, step: Step) -> list[PodChange]:
        """The Pods that came, or went, because of this step: no more than it says.

        Each is given to the first step it may belong to: one that it was not told before, but for
        the tie, and that lacks some still. What a step does not need is a replacement.
        """
        left = (self.created if step.up else self.deleted)(step.replica_set)
        its: list[PodChange] = []
        steps = self.steps(step.deployment)
        for other in steps[: steps.index(step) + 1]:
            if other.replica_set == step.replica_set and other.up == step.up:
                left = [one for one in left if one not in its]
                its = [one for one in left if one.moment >= other.moment - self.tie][: other.size]
        return its

    def tells_all(self, replica_set: str) -> bool:
        """May what a ReplicaSet did not tell be held not to have been?

        Not once client-go may have dropped events of it, or merged them before they were listed.
        """
        told = self.about("ReplicaSet", replica_set)
        return len(told) < MOST_TOLD and all(seen.new == 1 for seen in told)

    def containers(self, pod: str) -> dict[str, list[Occurrence]]:
        """The containers that a Pod's events name, each with its occurrences."""
        containers: dict[str, list[Occurrence]] = {}
        for seen in self.about("Pod", pod):
            if seen.container:
                containers.setdefault(seen.container, []).append(seen)
        return containers

    @staticmethod
    def prefix(replica_set: str) -> str:
        """What the names of its Pods begin with."""
        return f"{replica_set}-"[:_LONGEST_BASE]
