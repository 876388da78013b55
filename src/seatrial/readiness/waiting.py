"""The wait for a condition: ends as soon as it holds, or as soon as it never will.

What the conditions leave out is here: time. A finding has to stand for its grace before it ends the
wait, and progress starts that anew. The text of a failure says what was waited for, how far it got,
what is wrong and what was seen last.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError, NotReadyError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Change, Object, ObjectRef, Record, Snapshot, State, Verdict
from seatrial.readiness.causes.crashing import restarts_of_the_ready
from seatrial.readiness.conditions import Condition
from seatrial.readiness.failure import Failure
from seatrial.readiness.finding import CAUSES, Exists, Finding, LogTail, read_log
from seatrial.readiness.judgement import Hold, Judgement, Moment

__all__ = ["wait_until"]

#: seconds between two looks if nothing changes: what a grace or `holds_for` may be late by
WAKE_WITHIN = 0.25
#: how often a container may end before it is called a crash loop, beyond the restarts expected
CRASHES = 2
#: seconds for which a finding may be out of sight and still count as the same, as between a pod
#: and the one that replaces it
OUT_OF_SIGHT = 5.0


def wait_until(
    condition: Condition,
    feed: Feed,
    *,
    timeout: float,
    holds_for: float = 0.0,
    graces: Mapping[str, float] | None = None,
    log_tail: LogTail | None = None,
    exists: Exists | None = None,
    expect_restarts: int = 0,
) -> Verdict:
    """Wait until `condition` is satisfied, and give the verdict that says so.

    `timeout` and `holds_for` are seconds; `holds_for` is how long it has to stay satisfied, within
    the timeout, as with `condition.holds_for(…)`: then no record is skipped, so a break that came
    and went between two looks is one. `graces` replaces the seconds that findings of a cause (see
    `CAUSES`) may stand; `math.inf` keeps a cause from ending the wait. `expect_restarts` is how
    often a container may be restarted by plan. `log_tail` is called at most once, when the wait has
    failed. `exists` is asked of an object that is not watched (a Secret) before its absence ends
    the wait: the kubelet takes up to a quarter of a minute to notice that it has come.

    Raises `NotReadyError` as soon as the condition has become impossible, or when time is up;
    `ConfigurationError` for a grace of an unknown cause; and what the feed ended with, if it did.
    """
    _check_graces(graces or {})
    watch = _Watch(condition.holds_for(holds_for), feed, graces or {}, expect_restarts, exists)
    deadline = Deadline.after(timeout, feed.clock)
    outcome = wait_on(feed, watch.look, deadline, wake_within=WAKE_WITHIN)
    if outcome is not None and outcome.verdict.state is State.SATISFIED:
        return outcome.verdict
    raise _error(watch, deadline, outcome, log_tail)


def _check_graces(graces: Mapping[str, float]) -> None:
    for cause in graces:
        if cause not in CAUSES:
            close = difflib.get_close_matches(cause, CAUSES, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ConfigurationError(
                f'graces names "{cause}", which is no cause{meant}',
                hint=f"the causes are {', '.join(sorted(CAUSES))}",
            )


@dataclass
class _Standing:
    since: float
    seen: float


class _Watch:
    """What the looks of one wait remember. Times are those of the feed's monotonic clock."""

    def __init__(
        self,
        condition: Condition,
        feed: Feed,
        graces: Mapping[str, float],
        expect_restarts: int,
        exists: Exists | None,
    ) -> None:
        self.condition = condition
        self.feed = feed
        self.judgement: Judgement
        #: the judgement that had come furthest, and when
        self.furthest: tuple[float, Judgement] | None = None
        #: of the conditions that have to last, how long they have
        self.holds: dict[int, Hold] = {}
        self._graces = graces
        self._crashes = CRASHES + expect_restarts
        self._exists = exists
        self._standing: dict[tuple[str, ObjectRef, str], _Standing] = {}
        self._history: dict[tuple[ObjectRef, str], int] | None = None
        self._known: dict[int, tuple[Snapshot, Judgement]] = {}
        self._snapshot = Snapshot()
        #: of the last record that is in the snapshot
        self._number = 0

    def look(self) -> Judgement | None:
        """The judgement if it is satisfied, the part that is a dead end, or None to go on."""
        fresh = self.feed.records(after=self._number)
        for record in fresh:
            # only what holds can be broken; all else is judged by how it ended up
            if not any(hold.unbroken for hold in self.holds.values()):
                break
            self._snapshot = _after(self._snapshot, record)
            if ended := self._judge(record.received):
                return ended
        self._number = fresh[-1].number if fresh else self._number
        self._snapshot = self.feed.snapshot()
        return self._judge(self.feed.clock.monotonic())

    def _judge(self, now: float) -> Judgement | None:
        if self._history is None:
            self._history = restarts_of_the_ready(self._snapshot)
        moment = Moment(self._snapshot, now, self.holds, self._known)
        judgement = self.condition.judge_moment(moment)
        self.judgement = judgement
        self._remember(judgement, now)
        if judgement.verdict.state is State.SATISFIED:
            return judgement
        return judgement.dead_end(lambda finding: self._is_certain(finding, now))

    def _remember(self, judgement: Judgement, now: float) -> None:
        if self.furthest is None or judgement.progress > self.furthest[1].progress:
            self.furthest = (now, judgement)
            self._standing.clear()
        for finding in judgement.findings:
            standing = self._standing.get(finding.key)
            if standing is None or now - standing.seen > OUT_OF_SIGHT:
                self._standing[finding.key] = _Standing(now, now)
            else:
                standing.seen = now

    def _is_certain(self, finding: Finding, now: float) -> bool:
        if finding.crashes:
            history = (self._history or {}).get((finding.object, finding.container), 0)
            if finding.crashes - history < self._crashes:
                return False
        grace = self._graces.get(finding.cause, finding.grace)
        standing = self._standing[finding.key]
        if now - standing.since < grace:
            return False
        if finding.missing and self._exists and self._exists(*finding.missing):
            standing.since = now  # it has come, and the kubelet has yet to notice
            return False
        return True


def _after(snapshot: Snapshot, record: Record) -> Snapshot:
    """The snapshot as it is after that record."""
    if record.change is Change.GAP:
        return snapshot
    ref = record.ref
    key = (ref.kind, ref.namespace, ref.name)
    objects: dict[tuple[str, str, str], Object] = dict(snapshot.objects)
    if record.change is not Change.DELETED:
        objects[key] = record.object
    elif key in objects and ObjectRef.of(objects[key]).uid == ref.uid:
        del objects[key]
    return Snapshot(objects)


def _error(
    watch: _Watch,
    deadline: Deadline,
    dead_end: Judgement | None,
    log_tail: LogTail | None,
) -> NotReadyError:
    """Collected without the feed's lock, since the log has to be fetched from the cluster."""
    failure = Failure(
        condition=watch.condition,
        judgement=watch.judgement,
        dead_end=dead_end,
        started=deadline.started,
        elapsed=deadline.elapsed,
        timeout=deadline.timeout,
        furthest=watch.furthest,
        holds=tuple(watch.holds.values()),
        records=tuple(watch.feed.records("Event")),
    )
    finding = failure.finding
    return failure.error(None if finding is None else read_log(finding, log_tail))
