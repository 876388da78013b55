"""How long each Pod took from one event to another, such as from Scheduled to Started.

What the watch delivered is timed by its receipt, on the one clock of the feed: no two machines'
clocks are compared. What a list delivered has only the stamp that its component gave it, cut to
whole seconds, so a time with such an end is right to one second (`PodLatency.accuracy`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from seatrial.core.errors import ConfigurationError, EventMismatchError
from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import EventPattern, each_pod, event, names
from seatrial.events.precedence import Precedence

__all__ = ["Incomplete", "Latency", "PodLatency", "latency_of"]

STAMP = 1.0
"""Seconds: core/v1 cuts the time of an Event to this (`metav1.Time` is written without more)."""

SHOWN = 10
"""Pods that a text lists: the slowest, and of the incomplete ones as many."""

WIDTH = 98
"""Columns of a line; an error indents it by two more."""


@dataclass(frozen=True)
class PodLatency:
    """What one Pod took."""

    pod: ObjectRef
    seconds: float
    """Never negative: an end that was written before its start, within the tie, took 0."""
    accuracy: float
    """Seconds that it may be off: 0 if both ends were watched, else the 1 s of a stamp."""
    phases: tuple[tuple[str, float], ...]
    """Where the time went: `("Pulling→Pulled", 6.8)`, … in order. Each reason that the Pod had in
    between opens a phase, at its first occurrence there."""
    first: Occurrence
    last: Occurrence

    @property
    def longest(self) -> tuple[str, float]:
        """The phase that took most."""
        return max(self.phases, key=lambda phase: phase[1])


@dataclass(frozen=True)
class Incomplete:
    """A Pod of which only one of the two events is known, or not when it was."""

    pod: ObjectRef
    why: str
    """One line for a person: `Scheduled, but not Started`."""
    since: float | None = None
    """When it began, in seconds on the feed's clock, if what is missing may still come."""


@dataclass(frozen=True)
class Latency:
    """The seconds from one event to another of each Pod, and statistics over the Pods.

    `len()` is the number of Pods that have both. A statistic over none raises
    `EventMismatchError`. `str()` is a table, the slowest Pods first.
    """

    start: str
    end: str
    of: str
    """Whose Pods, as it was asked for: `Deployment/flask`; empty for all."""
    pods: tuple[PodLatency, ...]
    """The slowest first."""
    incomplete: tuple[Incomplete, ...] = ()
    """Pods that one of the two events was seen of, but which are in no statistic."""

    @property
    def per_pod(self) -> Mapping[ObjectRef, float]:
        """Seconds by Pod, the slowest first. (By its reference and not by its name alone, which a
        StatefulSet gives again.)"""
        return {one.pod: one.seconds for one in self.pods}

    @property
    def accuracy(self) -> float:
        """Seconds that each time, and so each statistic, may be off at most."""
        return max((one.accuracy for one in self.pods), default=0.0)

    def __len__(self) -> int:
        return len(self.pods)

    def __bool__(self) -> bool:
        return bool(self.pods)

    def p(self, percent: float) -> float:
        """The percentile by nearest rank: the least of the measured seconds that at least `percent`
        of a hundred Pods did not exceed.

        That is the value at rank ⌈percent · n / 100⌉ of n in rising order: always one that a Pod
        really took, never one between two. So of fewer than 100 Pods `p(99)` is the slowest.
        """
        if not 0 < percent <= 100:
            raise ConfigurationError(f"a percentile is above 0 and up to 100, not {percent:g}")
        rising = self._seconds()[::-1]
        # by fractions, as 7 % of 100 must be the 7th on every machine
        return rising[math.ceil(Fraction(str(percent)) * len(rising) / 100) - 1]

    @property
    def p50(self) -> float:
        return self.p(50)

    @property
    def p90(self) -> float:
        return self.p(90)

    @property
    def p99(self) -> float:
        return self.p(99)

    @property
    def max(self) -> float:
        return self._seconds()[0]

    @property
    def min(self) -> float:
        return self._seconds()[-1]

    @property
    def mean(self) -> float:
        return math.fsum(self._seconds()) / len(self)

    @property
    def title(self) -> str:
        of = f" of {self.of}" if self.of else ""
        return f"{self.start} → {self.end}{of}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """How many Pods, the statistics, the incomplete ones, and the slowest with their phases."""
        incomplete = f", {len(self.incomplete)} incomplete" if self.incomplete else ""
        yield _clip(f"{self.title}: {_many(len(self))}{incomplete}")
        if self.pods:
            values = {"p50": self.p50, "p90": self.p90, "p99": self.p99, "max": self.max}
            statistics = "  ".join(f"{name} {value:.2f}" for name, value in values.items())
            accuracy = f"  (± {self.accuracy:g} s)" if self.accuracy else ""
            yield f"  {statistics}  mean {self.mean:.2f} s{accuracy}"
        pods = [one.pod for one in self.incomplete[:SHOWN]]
        pods += [one.pod for one in self.pods[:SHOWN]]
        column = max((len(str(pod)) for pod in pods), default=0)
        for absent in self.incomplete[:SHOWN]:
            yield _clip(f"  {absent.pod!s:<{column}}  incomplete: {absent.why}")
        if len(self.incomplete) > SHOWN:
            yield f"  … {len(self.incomplete) - SHOWN} more incomplete ones"
        for one in self.pods[:SHOWN]:
            yield _clip(f"  {one.pod!s:<{column}}  {one.seconds:7.2f} s  {_went(one.phases)}")
        if len(self) > SHOWN:
            yield f"  … {len(self) - SHOWN} faster ones"

    def _seconds(self) -> list[float]:
        if not self.pods:
            raise EventMismatchError(
                f"no Pod's time from {self.start} to {self.end} is known",
                details=str(self),
                hint="wait for the last of the events first, or look at .incomplete",
            )
        return [one.seconds for one in self.pods]


def latency_of(
    occurrences: Sequence[Occurrence],
    start: EventPattern | str,
    end: EventPattern | str,
    *,
    of: str | None = None,
    tie: float,
) -> Latency:
    """From each Pod's first occurrence of `start` to the first of `end` that may follow it.

    Whose Pods `of` means, and what may follow what, is as in `each_pod` and `in_order`. Raises
    `ConfigurationError` for what can be no event of a Pod.
    """
    begin, finish = _leaf(start), _leaf(end)
    wanted = each_pod(begin, finish, of=of).pods
    precedence = Precedence(occurrences, tie=tie)
    places: dict[ObjectRef, list[int]] = {}
    for place, seen in enumerate(occurrences):
        if names(wanted, seen.object):
            places.setdefault(seen.object, []).append(place)
    measured: list[PodLatency] = []
    incomplete: list[Incomplete] = []
    for its in places.values():
        found = _measure(precedence, [(p, occurrences[p]) for p in its], begin, finish)
        if isinstance(found, PodLatency):
            measured.append(found)
        elif found is not None:
            incomplete.append(found)
    measured.sort(key=lambda one: (-one.seconds, one.pod))
    return Latency(begin.reason, finish.reason, of or "", tuple(measured), tuple(incomplete))


def _measure(
    precedence: Precedence,
    its: Sequence[tuple[int, Occurrence]],
    begin: EventPattern,
    finish: EventPattern,
) -> PodLatency | Incomplete | None:
    """What became of one Pod, of which these are the occurrences, by place."""
    moments = precedence.moments
    pod = its[0][1].object
    first = next(((place, seen) for place, seen in its if begin.matches(seen)), None)
    ends = [(place, seen) for place, seen in its if finish.matches(seen)]
    if first is None:
        why = f"{finish.reason}, but {begin.reason} was not seen"
        return Incomplete(pod, why) if ends else None
    last = next((end for end in ends if precedence.may_follow(first[0], end[0])), None)
    if last is None:
        why = f"{finish.reason} was seen only before" if ends else f"but not {finish.reason}"
        # a stamp may be that much too early
        since = moments[first[0]] + (STAMP if first[1].listed else 0.0)
        return Incomplete(pod, f"{begin.reason}, {why}", since)
    for _, seen in (first, last):
        if seen.new > 1:
            why = f"{seen.reason} came as {seen.new} at once, so when the first was is not known"
            return Incomplete(pod, why)
        if seen.listed and seen.stamped is None:
            return Incomplete(pod, f"{seen.reason} was listed, and has no time")
    between: dict[str, float] = {}
    for place, seen in its:
        if first[0] < place < last[0] and seen.reason not in (begin.reason, finish.reason):
            between.setdefault(seen.reason, moments[place])
    marks = [
        (begin.reason, moments[first[0]]),
        *between.items(),
        (finish.reason, moments[last[0]]),
    ]
    return PodLatency(
        pod=pod,
        seconds=max(0.0, moments[last[0]] - moments[first[0]]),
        accuracy=STAMP if first[1].listed or last[1].listed else 0.0,
        phases=tuple(
            (f"{reason}→{following}", max(0.0, until - since))
            for (reason, since), (following, until) in pairwise(marks)
        ),
        first=first[1],
        last=last[1],
    )


def _leaf(pattern: EventPattern | str) -> EventPattern:
    leaf = event(pattern) if isinstance(pattern, str) else pattern
    if not isinstance(leaf, EventPattern):
        raise ConfigurationError(
            f"latency: {leaf!r} is no single event", hint="use a reason, or event(…)"
        )
    return leaf


def _went(phases: Sequence[tuple[str, float]]) -> str:
    """`Scheduled 0.24 Pulled 0.01 Created 0.09 Started`: the seconds between."""
    first = phases[0][0].partition("→")[0]
    return " ".join([first, *(f"{took:.2f} {name.partition('→')[2]}" for name, took in phases)])


def _many(pods: int) -> str:
    return "1 pod" if pods == 1 else f"{pods} pods"


def _clip(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
