"""Budgets: how long the Pods may take from one event to another, to be expected beside patterns.

k8s_events.expect(FRESH_ROLLOUT, budget("Scheduled→Started", p99=5, p50=2), within=30)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seatrial.core.errors import ConfigurationError, EventMismatchError
from seatrial.core.model import Verdict
from seatrial.events.latency import Latency, latency_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import EventPattern, each_pod, event

__all__ = ["Budget", "budget"]

_ARROW = re.compile(r"\s*(?:→|->)\s*")


@dataclass(frozen=True)
class Limit:
    """What one statistic may be at most."""

    name: str
    """For a person: `p99`, or `max`."""
    percent: float
    seconds: float


@dataclass(frozen=True)
class Budget:
    """Limits for a latency. Made by `budget()`."""

    start: EventPattern
    end: EventPattern
    of: str
    limits: tuple[Limit, ...]
    pods: int | None = None

    @property
    def title(self) -> str:
        of = f" of {self.of}" if self.of else ""
        limits = ", ".join(f"{limit.name} ≤ {limit.seconds:g} s" for limit in self.limits)
        return f"{self.start.reason}→{self.end.reason}{of}: {limits}"

    def latency(self, occurrences: Sequence[Occurrence], *, tie: float) -> Latency:
        """What it is about, of these occurrences."""
        return latency_of(occurrences, self.start, self.end, of=self.of or None, tie=tie)

    def judge(self, latency: Latency, *, now: float, gap: str = "") -> Verdict:
        """Is the budget kept? `now` is on the feed's clock; `gap` tells of one in the stream.

        Impossible: a Pod took longer than `max`, or takes longer already; or a gap may have
        swallowed a Pod. Percentiles are only waited for, as further Pods can bring them down.
        """
        if gap and not (self.pods and len(latency) >= self.pods and not latency.incomplete):
            return Verdict.impossible(
                "Gap",
                f"{self.title}: cannot be proven, as {gap}",
                hint="a Pod's events may have been lost there; run the test again, or say how many "
                "Pods there are: budget(…, pods=3)",
            )
        return (
            self._too_slow(latency, now)
            or self._too_few(latency)
            or next(self._exceeded(latency), None)
            or Verdict.satisfied("WithinBudget", self.title)
        )

    def _too_few(self, latency: Latency) -> Verdict | None:
        if latency.incomplete:
            one = latency.incomplete[0]
            return Verdict.waiting(
                "Incomplete", f"{self.title}: {one.pod} is incomplete: {one.why}", object=one.pod
            )
        least = self.pods or 1
        if len(latency) >= least:
            return None
        return Verdict.waiting(
            "TooFew",
            f"{self.title}: {len(latency)} of {least} pods went from {self.start.reason} to "
            f"{self.end.reason}",
        )

    def _exceeded(self, latency: Latency) -> Iterator[Verdict]:
        for limit in self.limits:
            actual = latency.p(limit.percent)
            if actual - latency.accuracy > limit.seconds:
                yield Verdict.waiting("OverBudget", self._over(latency, limit, actual))
            elif actual + latency.accuracy > limit.seconds:
                yield Verdict.waiting(
                    "TooClose",
                    f"{self.title}: {limit.name} is {actual:.2f} s, but only to "
                    f"{latency.accuracy:g} s: it cannot be told from {limit.seconds:g} s",
                    hint="listed events have stamps of whole seconds: watch from before the apply",
                )

    def _too_slow(self, latency: Latency, now: float) -> Verdict | None:
        """The verdict on Pods that no further ones can make up for."""
        limit = next((limit for limit in self.limits if limit.percent == 100), None)
        if limit is None:
            return None
        if latency and latency.max - latency.accuracy > limit.seconds:
            return Verdict.impossible("OverBudget", self._over(latency, limit, latency.max))
        for one in latency.incomplete:
            if one.since is not None and now - one.since > limit.seconds:
                return Verdict.impossible(
                    "OverBudget",
                    f"{self.title}: {one.pod} has taken {now - one.since:.2f} s so far: {one.why}",
                    object=one.pod,
                )
        return None

    def _over(self, latency: Latency, limit: Limit, actual: float) -> str:
        slowest = latency.pods[0]
        phase, seconds = slowest.longest
        return (
            f"{self.start.reason}→{self.end.reason}: {limit.name} is {actual:.2f} s, at most "
            f"{limit.seconds:g} s; {slowest.pod} took {seconds:.2f} s for {phase}"
        )

    def error(self, latency: Latency, verdict: Verdict) -> EventMismatchError:
        """The error for a verdict that is not the wanted one."""
        return EventMismatchError(
            verdict.message, details="\n".join(self._table(latency)), hint=verdict.hint
        )

    def _table(self, latency: Latency) -> Iterator[str]:
        yield f"budget {self.title}"
        if latency:
            for limit in self.limits:
                actual = latency.p(limit.percent)
                mark = "->" if actual - latency.accuracy > limit.seconds else "  "
                give = f" ± {latency.accuracy:g}" if latency.accuracy else ""
                yield f"{mark} {limit.name:<4} {actual:7.2f}{give} s  at most {limit.seconds:g} s"
        yield ""
        yield from latency.lines()


def budget(
    start: EventPattern | str,
    end: EventPattern | str | None = None,
    *,
    of: str | None = None,
    p50: float | None = None,
    p90: float | None = None,
    p95: float | None = None,
    p99: float | None = None,
    max: float | None = None,  # noqa: A002 - the word for it
    pods: int | None = None,
) -> Budget:
    """Seconds that the Pods may take from one event to another, for `Timeline.expect`.

    `budget("Scheduled→Started", p99=5)` is the same as `budget("Scheduled", "Started", p99=5)`.
    Percentiles are by nearest rank (`Latency.p`); `max` is that of a hundred percent. `of` says
    whose Pods, as in `each_pod`. Every Pod that one of the two events was seen of must have both,
    and one Pod at least must have been seen, or `pods` of them. As a gap in the stream may hide a
    Pod, the budget cannot be proven with one, unless `pods` says that none is missing. What was
    listed is right to one second only, and is held to be within a limit if it surely is.

    Raises `ConfigurationError` for a budget without limits, or with one that makes no sense.
    """
    if isinstance(start, str) and end is None:
        ends = _ARROW.split(start.strip())
        if len(ends) != 2 or not all(ends):
            raise ConfigurationError(
                f"budget: {start!r} names no two events",
                hint="budget('Scheduled→Started', p99=5), or two reasons",
            )
        start, end = ends
    if end is None:
        raise ConfigurationError("budget: the second event is missing")
    asked = {50.0: p50, 90.0: p90, 95.0: p95, 99.0: p99, 100.0: max}
    limits = tuple(
        Limit("max" if percent == 100 else f"p{percent:g}", percent, seconds)
        for percent, seconds in asked.items()
        if seconds is not None
    )
    if not limits:
        raise ConfigurationError("budget: has no limit", hint="such as p99=5 (seconds)")
    for limit in limits:
        if not limit.seconds > 0:
            raise ConfigurationError(
                f"budget: {limit.name} must be more than 0 seconds, not {limit.seconds:g}"
            )
    if pods is not None and pods < 1:
        raise ConfigurationError(f"budget: pods must be 1 or more, not {pods}")
    first, last = (event(each) if isinstance(each, str) else each for each in (start, end))
    # refuses what can be no event of a Pod while the test's line is still in sight
    each_pod(first, last, of=of)
    return Budget(first, last, of or "", limits, pods)
