"""Conditions: what can be waited for. Pure: a snapshot in, a judgement out.

They compose: `(ready("Deployment/flask") & ready("Service/flask")).holds_for(5)`. How long a
condition has held is known to the wait alone; it hands that in with every moment.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef, Snapshot, State, Verdict
from seatrial.readiness.diagnosis import diagnose
from seatrial.readiness.judgement import Hold, Judgement, Moment, Need, combined
from seatrial.readiness.status import advance, status
from seatrial.readiness.wording import seconds as in_seconds
from seatrial.readiness.workload import Workload

__all__ = ["Condition", "Judgement", "all_of", "any_of", "condition", "ready"]


class Condition(abc.ABC):
    """Something that can be waited for. Subclass it, or use `condition` for a plain function."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What is waited for, as in `waiting for …`: `Deployment/flask to be ready`."""

    @abc.abstractmethod
    def judge(self, snapshot: Snapshot) -> Judgement:
        """Look at one moment. Must not call the cluster, nor depend on the time."""

    def judge_moment(self, moment: Moment) -> Judgement:
        """The same in the course of a wait, which knows the time and what was before."""
        return self.judge(moment.snapshot)

    def holds_for(self, seconds: float) -> Condition:
        """The same condition, satisfied only when it has been so for `seconds` without a break.

        A break is seen even if it came and went between two looks, as every record is looked at.
        `wait_until` knows the time; a single `judge` does not, and says that it is waiting.

        Raises `ConfigurationError` for a negative number.
        """
        if seconds < 0:
            raise ConfigurationError(f"nothing can hold for {seconds:g} s")
        return _Holding(self, seconds) if seconds else self

    def __and__(self, other: Condition) -> Condition:
        return all_of(self, other)

    def __or__(self, other: Condition) -> Condition:
        return any_of(self, other)

    def __str__(self) -> str:
        return self.describe()


@dataclass(frozen=True)
class _Ready(Condition):
    ref: ObjectRef

    def describe(self) -> str:
        return f"{self.ref} to be ready"

    def judge(self, snapshot: Snapshot) -> Judgement:
        verdict = status(self.ref, snapshot)
        found = () if verdict.state is State.SATISFIED else tuple(diagnose(snapshot, self.ref))
        workload = Workload.of(snapshot, self.ref)
        about = frozenset({self.ref}) if workload is None else workload.about
        return Judgement(verdict, found, advance(self.ref, snapshot), about)

    def judge_moment(self, moment: Moment) -> Judgement:
        # most looks are for the time alone, and the diagnosis is what a look costs
        known = moment.known.get(id(self))
        if known is None or known[0] is not moment.snapshot:
            known = moment.known[id(self)] = (moment.snapshot, self.judge(moment.snapshot))
        return known[1]


@dataclass(frozen=True)
class _Composed(Condition):
    need: Need
    conditions: tuple[Condition, ...]

    def describe(self) -> str:
        word = " and " if self.need is Need.ALL else " or "
        return word.join(
            f"({part})" if isinstance(part, _Composed | _Holding) else str(part)
            for part in self.conditions
        )

    def judge(self, snapshot: Snapshot) -> Judgement:
        return combined(self.need, tuple(part.judge(snapshot) for part in self.conditions))

    def judge_moment(self, moment: Moment) -> Judgement:
        return combined(self.need, tuple(part.judge_moment(moment) for part in self.conditions))


@dataclass(frozen=True)
class _Holding(Condition):
    condition: Condition
    seconds: float

    def describe(self) -> str:
        inner = self.condition.describe()
        if isinstance(self.condition, _Composed):
            inner = f"({inner})"
        return f"{inner}, and to stay so for {in_seconds(self.seconds)}"

    def judge(self, snapshot: Snapshot) -> Judgement:
        return self._judged(self.condition.judge(snapshot), Hold(str(self.condition), self.seconds))

    def judge_moment(self, moment: Moment) -> Judgement:
        hold = moment.holds.setdefault(id(self), Hold(str(self.condition), self.seconds))
        judged = self.condition.judge_moment(moment)
        hold.note(judged.verdict.state is State.SATISFIED, moment.now)
        return self._judged(judged, hold)

    def _judged(self, judged: Judgement, hold: Hold) -> Judgement:
        done = hold.unbroken and hold.held >= self.seconds
        if judged.verdict.state is not State.SATISFIED or done:
            return judged
        # nothing is wrong, so nothing of what its parts may have found counts
        lasting = replace(judged.verdict, state=State.WAITING)
        return replace(judged, verdict=lasting, findings=(), parts=(), hold=hold)


@dataclass(frozen=True)
class _Function(Condition):
    function: Callable[[Snapshot], Verdict | bool]
    description: str

    def describe(self) -> str:
        return self.description

    def judge(self, snapshot: Snapshot) -> Judgement:
        said = self.function(snapshot)
        if not isinstance(said, Verdict):
            said = (
                Verdict.satisfied("Satisfied", "yes")
                if said
                else Verdict.waiting("NotYet", "not yet")
            )
        return Judgement(
            said,
            progress=int(said.state is State.SATISFIED),
            about=frozenset() if said.object is None else frozenset({said.object}),
            subject="" if said.object else self.description,
        )


def ready(what: ObjectRef | str, namespace: str = "") -> Condition:
    """The object is ready by the rules of its kind: `ready("Deployment/flask", "shop")`.

    An empty namespace means any. Raises `ConfigurationError` for a text that is not `Kind/name`.
    """
    if isinstance(what, str):
        kind, slash, name = what.partition("/")
        if not (slash and kind[:1].isupper() and kind.isalnum() and name) or "/" in name:
            raise ConfigurationError(
                f'"{what}" does not name an object',
                hint="write Kind/name with the kind as in the manifest: Deployment/flask",
            )
        what = ObjectRef(kind, name, namespace)
    elif namespace and what.namespace and namespace != what.namespace:
        raise ConfigurationError(
            f"{what} is in namespace {what.namespace}, and namespace {namespace} was given as well"
        )
    return _Ready(ObjectRef(what.kind, what.name, what.namespace or namespace))


def all_of(*conditions: Condition) -> Condition:
    """All of them at the same moment; impossible as soon as one is."""
    return _composed(Need.ALL, conditions)


def any_of(*conditions: Condition) -> Condition:
    """At least one of them; impossible only when all are."""
    return _composed(Need.ANY, conditions)


def _composed(need: Need, conditions: tuple[Condition, ...]) -> Condition:
    if not conditions:
        raise ConfigurationError(f"{need.value}_of() needs at least one condition")
    flat: list[Condition] = []
    for part in conditions:
        same = isinstance(part, _Composed) and part.need is need
        flat += part.conditions if same and isinstance(part, _Composed) else [part]
    return flat[0] if len(flat) == 1 else _Composed(need, tuple(flat))


def condition(function: Callable[[Snapshot], Verdict | bool], description: str) -> Condition:
    """A condition of one's own: a function of the snapshot that gives a `Verdict`, or a truth.

    `description` completes `waiting for …`. A function that gives `Verdict.impossible(…)` ends the
    wait at once; one that raises ends it with its own error.
    """
    return _Function(function, description)
