"""Conditions: what can be waited for. Pure: a snapshot in, a judgement out.

They compose: `ready("Deployment/flask") & ready("Service/flask")`. How long a condition has to hold
is a matter of time, and so of the wait (`wait_until(…, holds_for=5)`).
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef, Snapshot, State, Verdict
from seatrial.readiness.diagnosis import diagnose
from seatrial.readiness.finding import Finding
from seatrial.readiness.status import advance, status
from seatrial.readiness.workload import Workload

__all__ = ["Condition", "Judgement", "all_of", "any_of", "condition", "ready"]


class _Need(enum.Enum):
    """How many of its parts a judgement needs."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True)
class Judgement:
    """What a condition says of a snapshot, and what it found to be wrong."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    """Reasons why it is not satisfied, the root cause first."""
    progress: int = 0
    """Grows with every step towards being satisfied; only good for comparing."""
    about: frozenset[ObjectRef] = frozenset()
    """The objects that were looked at; empty if that is not known."""
    subject: str = ""
    """What the verdict's message is about, where that is not its object."""
    parts: tuple[Judgement, ...] = ()
    """Of a composed condition: what its parts said."""
    need: _Need = _Need.ALL

    def dead_end(self, certain: Callable[[Finding], bool]) -> Judgement | None:
        """The part by which it has become impossible, or None while there is hope.

        `certain` says whether a finding has outlived its grace. Where any of several parts is
        enough, all of them must be dead ends. The part that is given has the decisive finding
        first; it has none if only its verdict says that it is impossible.
        """
        if self.parts:
            ends = [part.dead_end(certain) for part in self.parts]
            if self.need is _Need.ANY and None in ends:
                return None
            return next((end for end in ends if end is not None), None)
        for finding in self.findings:
            if certain(finding):
                rest = tuple(other for other in self.findings if other is not finding)
                return replace(self, findings=(finding, *rest))
        return self if self.verdict.state is State.IMPOSSIBLE else None

    @property
    def told(self) -> str:
        """The verdict's message, and what it is about."""
        subject = self.subject or (str(self.verdict.object) if self.verdict.object else "")
        return f"{subject}: {self.verdict.message}" if subject else self.verdict.message

    def leaves(self) -> Iterator[Judgement]:
        """The judgements of which it is composed; itself if it is not."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


class Condition(abc.ABC):
    """Something that can be waited for. Subclass it, or use `condition` for a plain function."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What is waited for, as in `waiting for …`: `Deployment/flask to be ready`."""

    @abc.abstractmethod
    def judge(self, snapshot: Snapshot) -> Judgement:
        """Look at one moment. Must not call the cluster, nor depend on the time."""

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


@dataclass(frozen=True)
class _Composed(Condition):
    need: _Need
    conditions: tuple[Condition, ...]

    def describe(self) -> str:
        word = " and " if self.need is _Need.ALL else " or "
        return word.join(
            f"({part.describe()})" if isinstance(part, _Composed) else part.describe()
            for part in self.conditions
        )

    def judge(self, snapshot: Snapshot) -> Judgement:
        parts = tuple(part.judge(snapshot) for part in self.conditions)
        decisive = _combined(self.need, parts)
        return Judgement(
            decisive.verdict,
            tuple(finding for part in parts for finding in part.findings),
            sum(part.progress for part in parts),
            frozenset().union(*(part.about for part in parts)),
            decisive.subject,
            parts,
            self.need,
        )


def _combined(need: _Need, parts: tuple[Judgement, ...]) -> Judgement:
    """The part that decides, or a judgement that names all that is still missing."""
    decisive = State.IMPOSSIBLE if need is _Need.ALL else State.SATISFIED
    for part in parts:
        if part.verdict.state is decisive:
            return part
    left = [part for part in parts if part.verdict.state is State.WAITING]
    if len(left) == 1:
        return left[0]
    together = "; ".join(part.told for part in left or parts)
    if left:
        return Judgement(Verdict.waiting("Waiting", together))
    if need is _Need.ALL:
        return Judgement(Verdict.satisfied("AllSatisfied", together))
    return Judgement(Verdict.impossible("NoneLeft", together))


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
    return _composed(_Need.ALL, conditions)


def any_of(*conditions: Condition) -> Condition:
    """At least one of them; impossible only when all are."""
    return _composed(_Need.ANY, conditions)


def _composed(need: _Need, conditions: tuple[Condition, ...]) -> Condition:
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
