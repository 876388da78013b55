"""What a condition says: a judgement of one moment, and what a wait remembers between two."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from seatrial.core.model import ObjectRef, Snapshot, State, Verdict
from seatrial.readiness.finding import Finding

__all__ = ["Hold", "Judgement", "Moment", "Need", "combined"]


class Need(enum.Enum):
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
    need: Need = Need.ALL
    hold: Hold | None = None
    """Of a condition that has to last: since when it holds. Then it waits for nothing but time."""

    def dead_end(self, certain: Callable[[Finding], bool]) -> Judgement | None:
        """The part by which it has become impossible, or None while there is hope.

        `certain` says whether a finding has outlived its grace. Where any of several parts is
        enough, all of them must be dead ends. The part that is given has the decisive finding
        first; it has none if only its verdict says that it is impossible.
        """
        if self.parts:
            ends = [part.dead_end(certain) for part in self.parts]
            if self.need is Need.ANY and None in ends:
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


def combined(need: Need, parts: tuple[Judgement, ...]) -> Judgement:
    """What the parts say together."""
    decisive = _decisive(need, parts)
    return Judgement(
        decisive.verdict,
        tuple(finding for part in parts for finding in part.findings),
        sum(part.progress for part in parts),
        frozenset().union(*(part.about for part in parts)),
        decisive.subject,
        parts,
        need,
        decisive.hold,
    )


def _decisive(need: Need, parts: tuple[Judgement, ...]) -> Judgement:
    """The part that decides, or a judgement that names all that is still missing."""
    decisive = State.IMPOSSIBLE if need is Need.ALL else State.SATISFIED
    for part in parts:
        if part.verdict.state is decisive:
            return part
    left = [part for part in parts if part.verdict.state is State.WAITING]
    if len(left) == 1:
        return left[0]
    together = "; ".join(part.told for part in left or parts)
    if left:
        return Judgement(Verdict.waiting("Waiting", together))
    if need is Need.ALL:
        return Judgement(Verdict.satisfied("AllSatisfied", together))
    return Judgement(Verdict.impossible("NoneLeft", together))


@dataclass
class Hold:
    """For how long a condition has been satisfied, or was the last time. Seconds of the clock of
    the feed."""

    what: str
    """The condition that has to last."""
    seconds: float
    """How long it has to last."""
    since: float | None = None
    """When it was satisfied; None if it never was."""
    until: float = 0.0
    """When it was last seen to be satisfied, or was no longer."""
    unbroken: bool = False
    """Whether it still is."""

    @property
    def held(self) -> float:
        """Seconds from `since` to `until`."""
        return 0.0 if self.since is None else self.until - self.since

    def note(self, satisfied: bool, now: float) -> None:
        """Take in whether the condition is satisfied at the moment `now`."""
        if satisfied and not self.unbroken:
            self.since = now
        if satisfied or self.unbroken:
            self.until = now
        self.unbroken = satisfied


@dataclass
class Moment:
    """A moment of a wait: the state of all objects, the time, and what was before."""

    snapshot: Snapshot
    now: float
    """Seconds of the clock of the feed."""
    holds: dict[int, Hold] = field(default_factory=dict)
    """By the identity of a condition that has to last; the same throughout one wait."""
    known: dict[int, tuple[Snapshot, Judgement]] = field(default_factory=dict)
    """By the identity of a condition, what it said of the snapshot that it saw last."""
