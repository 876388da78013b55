"""Asks a recording what its test asked the cluster, and compares the answers.

A wait begins at the moment at which it began on the day, and sees each record when the test did.
What the test asked the API server beside the streams (whether a Secret is there, a container's log)
is answered as it was on the day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.core.errors import ConfigurationError, ExpectationError, SeatrialError
from seatrial.core.model import ObjectRef
from seatrial.core.recording import Recording
from seatrial.core.recording_file import Asked
from seatrial.core.redaction import HIDDEN, Redactor
from seatrial.events import Timeline
from seatrial.harness.descriptions import condition_from, named_sequence, pattern_from
from seatrial.readiness import Condition, ready, wait_until

__all__ = ["Replayed", "expect_sequence", "replay", "replay_all", "timeline_of", "wait_for"]

#: what two looks at one failure may differ by
_DURATION = re.compile(r"-?\d+(\.\d+)? ?s\b")


@dataclass(frozen=True)
class Replayed:
    """What a recording answers."""

    outcome: str
    """`satisfied`, the name of an error, or empty for what cannot be asked again."""
    cause: str = ""
    """The verdict's message, the first line of the error, or why it cannot be asked."""
    text: str = ""
    """The whole text of the error."""
    seconds: float = 0.0
    """How long it took, on the recording's clock."""
    asked: Asked | None = None
    """What it answers anew; None if it was asked for the first time."""
    unfinished: bool = False
    """Whether the recording ends before the answer."""

    @property
    def same(self) -> bool | None:
        """Whether the answer is that of the day; None if there is nothing to compare."""
        day = self.asked
        if day is None or not self.outcome or not day.outcome:
            return None
        if self.outcome != day.outcome or self.outcome == "satisfied":
            return self.outcome == day.outcome
        return _alike(day.cause, self.cause)


def replay_all(recording: Recording) -> Sequence[Replayed]:
    """All that the test asked, in its order."""
    return [replay(recording, asked) for asked in recording.asked]


def replay(recording: Recording, asked: Asked) -> Replayed:
    """Ask one thing again, from the moment on at which it was asked."""
    if asked.outcome not in ("", "satisfied", "NotReadyError", "EventMismatchError"):
        return Replayed("", f"it was ended by {asked.outcome}, not by what was seen", asked=asked)
    feed = recording.again()
    timeline = timeline_of(feed)
    feed.move_to(asked.started)
    try:
        ask = _wait(feed, asked) if asked.kind == "wait" else _expect(timeline, asked)
    except (ConfigurationError, KeyError) as error:
        return Replayed("", f"it cannot be asked again: {_first_line(error)}", asked=asked)
    return _answered(feed, ask, asked)


def wait_for(recording: Recording, ref: str) -> Replayed:
    """Wait for `ref` (`Deployment/flask`) to become ready, from the beginning to the end.

    Raises `ConfigurationError` for a text that is not `Kind/name`.
    """
    feed, asked = recording.again(), ready(ref)
    # the end itself is to be looked at as well
    timeout = max(feed.end - feed.header.started, 0.001)
    return _answered(feed, lambda: _told(asked, feed, timeout=timeout))


def expect_sequence(recording: Recording, name: str) -> Replayed:
    """Look for a ready-made sequence, `ROLLING_UPDATE` or `ROLLING_UPDATE:Deployment/flask`.

    Raises `ConfigurationError` if there is none of that name.
    """
    feed = recording.again()
    timeline = timeline_of(feed)
    name, _, ref = name.partition(":")
    sequence = named_sequence(name)
    wanted = sequence.of(ref) if ref else sequence
    feed.finish()
    return _answered(feed, lambda: _matched(timeline, [wanted], within=0.0))


def timeline_of(recording: Recording) -> Timeline:
    """The events of a recording, of which those up to its present moment are there."""
    return Timeline(recording, tie=recording.header.tie)


def _wait(feed: Recording, asked: Asked) -> Callable[[], str]:
    question = asked.question
    condition = condition_from(question["condition"])
    graces: Any = pattern_from(question["graces"])
    options = {
        "timeout": question["timeout"],
        "holds_for": question["holds_for"] or 0.0,
        "graces": graces,
        "expect_restarts": question["expect_restarts"],
        "log_tail": lambda *where: _log(asked, where),
        "exists": lambda ref, key: _existed(asked, feed.clock.monotonic(), ref, key),
    }
    return lambda: _told(condition, feed, **options)


def _expect(timeline: Timeline, asked: Asked) -> Callable[[], str]:
    patterns = [pattern_from(each) for each in asked.question["patterns"]]
    return lambda: _matched(timeline, patterns, within=asked.question["within"])


def _told(condition: Condition, feed: Recording, **options: Any) -> str:
    verdict = wait_until(condition, feed, **options)
    return f"{verdict.reason}: {verdict.message}"


def _matched(timeline: Timeline, patterns: Sequence[Any], *, within: float) -> str:
    timeline.expect(*patterns, within=within)
    return ""


def _answered(feed: Recording, ask: Callable[[], str], asked: Asked | None = None) -> Replayed:
    started = feed.clock.monotonic()
    outcome, text = "satisfied", ""
    try:
        cause = ask()
    except ExpectationError as error:
        outcome, cause, text = type(error).__name__, error.cause, str(error)
    now = feed.clock.monotonic()
    broke_off = asked is not None and not asked.outcome and now > feed.end
    if broke_off:
        outcome = ""
        cause = f"the recording ends {feed.end - started:.1f} s after it began: {cause}"
    hide = Redactor().text
    return Replayed(outcome, hide(cause), hide(text), now - started, asked, broke_off)


def _log(asked: Asked, where: Sequence[Any]) -> str:
    for line in asked.more.get("logs", []):
        if line[:4] == list(where):
            text, *refused = line[4:]
            if text is not None:
                return str(text)
            raise SeatrialError(*refused)
    raise SeatrialError("it is not in the recording")


def _existed(asked: Asked, now: float, ref: ObjectRef, key: str) -> bool:
    """What was answered at the moment nearest to this one."""
    about = [ref.kind, ref.namespace, ref.name, key]
    said = [(abs(line[0] - now), line[5]) for line in asked.more.get("existed", [])
            if line[1:5] == about]  # fmt: skip
    return bool(min(said)[1]) if said else False


def _alike(day: str, now: str) -> bool:
    """Whether two first lines say the same, whatever the durations, and what was hidden in one."""
    plain, wanted = (_DURATION.sub("N s", text) for text in (now, day))
    expression = ".*?".join(re.escape(part) for part in wanted.split(HIDDEN))
    return re.fullmatch(expression, plain, re.DOTALL) is not None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
