"""The text of a wait that failed.

The first line names the cause and the object; below it: what was waited for and how long, how far
it had got, the evidence, what else was found, and the latest events.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from seatrial.core.errors import NotReadyError
from seatrial.core.model import Change, Record, Verdict
from seatrial.readiness.conditions import Condition
from seatrial.readiness.events import event_line, is_about, likeness
from seatrial.readiness.finding import Finding
from seatrial.readiness.judgement import Hold, Judgement
from seatrial.readiness.wording import seconds

__all__ = ["Failure"]

#: how many of the latest events are shown
SHOWN_EVENTS = 8
#: how many findings besides the first are shown
SHOWN_FINDINGS = 5


@dataclass(frozen=True)
class Failure:
    """Everything that a failed wait can tell. Times are seconds of the feed's monotonic clock."""

    condition: Condition
    judgement: Judgement
    """The last look."""
    dead_end: Judgement | None
    """The part that has become impossible; None if time was up."""
    started: float
    elapsed: float
    timeout: float
    furthest: tuple[float, Judgement] | None
    holds: tuple[Hold, ...]
    """How long the conditions held that have to last."""
    records: tuple[Record, ...]
    """The records of events."""

    @property
    def finding(self) -> Finding | None:
        """The reason that the first line tells."""
        findings = (self.dead_end or self.judgement).findings
        return findings[0] if findings else None

    def error(self, finding: Finding | None) -> NotReadyError:
        """The error to raise; `finding` is `self.finding`, with its log if that was read."""
        verdict = (self.dead_end or self.judgement).verdict
        shown: Finding | Verdict = verdict if finding is None else finding
        others = {other.key: other.message for other in self.judgement.findings}
        if self.finding is not None:
            others.pop(self.finding.key, None)
        sections = [
            *self._course(),
            *_section("evidence:", shown.evidence),
            *_section("also found:", list(others.values())[:SHOWN_FINDINGS]),
            *_section("latest events (seconds since the wait began):", self._events()),
        ]
        return NotReadyError(self._cause(finding), details="\n".join(sections), hint=shown.hint)

    def _cause(self, finding: Finding | None) -> str:
        decisive = self.dead_end or self.judgement
        late = "" if self.dead_end else f" (still so after {seconds(self.elapsed)})"
        if finding is not None:
            return f"{finding.message}{late}"
        if self.dead_end:
            return f"{decisive.told} ({decisive.verdict.reason})"
        if decisive.hold is not None:
            return (
                f"{decisive.told}, but that held for only {seconds(decisive.hold.held)} of "
                f"{seconds(decisive.hold.seconds)} when {seconds(self.timeout)} were over"
            )
        return f"{decisive.told}{late}"

    def _course(self) -> Iterator[str]:
        """What was waited for, and how far it got."""
        ended = "gave up" if self.dead_end else "time was up"
        yield (
            f"waiting for {self.condition.describe()}: {ended} after "
            f"{seconds(self.elapsed)} of {seconds(self.timeout)}"
        )
        for leaf in self.judgement.leaves():
            yield f"now: {leaf.verdict.reason}: {leaf.told}"
        if self.furthest and self.furthest[1].progress > self.judgement.progress:
            when, judgement = self.furthest
            yield f"furthest: {judgement.told}, at {seconds(when - self.started)}"
        for hold in self.holds:
            if hold.since is not None and not hold.unbroken:
                since, until = (seconds(t - self.started) for t in (hold.since, hold.until))
                what = f"{hold.what}, " if len(self.holds) > 1 else ""
                yield f"last satisfied: {what}from {since} to {until}"

    def _events(self) -> list[str]:
        """The latest events about what was looked at, each where it was received the last time.

        Of those that differ only in a name or an id the latest is shown.
        """
        about = self.judgement.about
        seen: dict[Hashable, Record] = {}
        for record in self.records:
            if record.change in (Change.GAP, Change.DELETED):
                continue
            if not about or any(is_about(record.object, ref) for ref in about):
                like = likeness(record.object)
                seen.pop(like, None)
                seen[like] = record
        return [
            f"{record.received - self.started:+6.1f} {event_line(record.object)}"
            for record in list(seen.values())[-SHOWN_EVENTS:]
        ]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    shown = [f"  {line}" for line in lines]
    return [title, *shown] if shown else []
