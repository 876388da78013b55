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
from seatrial.core.model import ObjectRef, State, Verdict
from seatrial.readiness.causes.crashing import restarts_of_the_ready
from seatrial.readiness.conditions import Condition, Judgement
from seatrial.readiness.failure import Failure
from seatrial.readiness.finding import CAUSES, Finding, LogTail, read_log

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
    expect_restarts: int = 0,
) -> Verdict:
    """Wait until `condition` is satisfied, and give the verdict that says so.

    `timeout` and `holds_for` are seconds; `holds_for` is how long it has to stay satisfied, within
    the timeout. `graces` replaces the seconds that findings of a cause (see `CAUSES`) may stand;
    `math.inf` keeps a cause from ending the wait. `expect_restarts` is how often a container may
    be restarted by plan. `log_tail` is called at most once, when the wait has failed.

    Raises `NotReadyError` as soon as the condition has become impossible, or when time is up;
    `ConfigurationError` for a grace of an unknown cause; and what the feed ended with, if it did.
    """
    _check_graces(graces or {})
    watch = _Watch(condition, feed, holds_for, graces or {}, expect_restarts)
    deadline = Deadline.after(timeout, feed.clock)
    outcome = wait_on(feed, watch.look, deadline, wake_within=WAKE_WITHIN)
    if outcome is not None and outcome.verdict.state is State.SATISFIED:
        return outcome.verdict
    raise _error(watch, deadline, outcome, holds_for, log_tail)


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
        holds_for: float,
        graces: Mapping[str, float],
        expect_restarts: int,
    ) -> None:
        self.condition = condition
        self.feed = feed
        self.judgement: Judgement
        #: the judgement that had come furthest, and when
        self.furthest: tuple[float, Judgement] | None = None
        #: when it was satisfied without a break: from, until
        self.satisfied: tuple[float, float] | None = None
        self._holds_for = holds_for
        self._graces = graces
        self._crashes = CRASHES + expect_restarts
        self._standing: dict[tuple[str, ObjectRef, str], _Standing] = {}
        self._holding = False
        self._history: dict[tuple[ObjectRef, str], int] | None = None

    def look(self) -> Judgement | None:
        """The judgement if it is satisfied, the part that is a dead end, or None to go on."""
        now = self.feed.clock.monotonic()
        snapshot = self.feed.snapshot()
        if self._history is None:
            self._history = restarts_of_the_ready(snapshot)
        self.judgement = judgement = self.condition.judge(snapshot)
        self._remember(judgement, now)
        if judgement.verdict.state is State.SATISFIED:
            since = self.satisfied[0] if self.satisfied and self._holding else now
            self.satisfied, self._holding = (since, now), True
            return judgement if now - since >= self._holds_for else None
        self._holding = False
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
        return now - self._standing[finding.key].since >= grace


def _error(
    watch: _Watch,
    deadline: Deadline,
    dead_end: Judgement | None,
    holds_for: float,
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
        holds_for=holds_for,
        furthest=watch.furthest,
        satisfied=watch.satisfied,
        records=tuple(watch.feed.records("Event")),
    )
    finding = failure.finding
    return failure.error(None if finding is None else read_log(finding, log_tail))
