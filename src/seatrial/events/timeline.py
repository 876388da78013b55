"""The events of a deployment as they come in, and expectations of them that can be waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError, EventMismatchError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Change, Record, State, Verdict, dig
from seatrial.core.recording import Recording
from seatrial.events.budgets import Budget
from seatrial.events.latency import Latency, latency_of
from seatrial.events.matching import TIE, Matcher, slots_of
from seatrial.events.mismatch import Story, forbidden, mismatch, unprovable
from seatrial.events.occurrence import Occurrence, count_of
from seatrial.events.parts import EventPattern, Expectation, Never, Repeated, names, parts
from seatrial.events.patterns import expectation
from seatrial.events.sequences import NamedSequence
from seatrial.events.table import gap

__all__ = ["Expected", "Match", "Timeline"]

Expected: TypeAlias = "Expectation | NamedSequence | Budget | str"
"""What `Timeline.expect` takes; a bare string is a reason."""


class Match:
    """Which occurrence each leaf of the expected patterns was given.

    `match["Started"]` and `match[leaf]` give the occurrence of the first leaf with that reason, or
    of that leaf; `match.all(…)` those of all of them, such as one for each Pod. Iterating gives the
    occurrences in the order of the timeline, each once.
    """

    def __init__(self, pairs: Iterable[tuple[EventPattern, Occurrence]]) -> None:
        self.pairs = tuple(pairs)
        """Leaf and occurrence, in the order in which the patterns are written."""

    def __getitem__(self, leaf: EventPattern | str) -> Occurrence:
        found = self.all(leaf)
        if not found:
            raise KeyError(leaf)
        return found[0]

    def all(self, leaf: EventPattern | str) -> tuple[Occurrence, ...]:
        """The occurrences of every leaf that is equal to this one, or has this reason."""
        # a leaf that was written without an object may have got its group's
        return tuple(
            seen
            for key, seen in self.pairs
            if leaf in ((key.reason,) if isinstance(leaf, str) else (key, replace(key, on="")))
        )

    def __iter__(self) -> Iterator[Occurrence]:
        found = {seen.number: seen for _, seen in self.pairs}
        return iter([found[number] for number in sorted(found)])

    def __len__(self) -> int:
        return len(self.pairs)


class Timeline:
    """The occurrences of events in a feed, in the order in which the API server wrote them.

    What the watch delivered stands in the order of its receipt, which is that of writing. What a
    list delivered comes in no order, and is put where its revision belongs: etcd numbers all writes
    in one sequence (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
    Timestamps order nothing. What a list repeats after a gap is dropped, as are deletions (an Event
    object is deleted when its time to live is over) and changes of an Event object that do not
    raise its count.

    `start` leaves out the records up to that number, such as those of earlier tests. `tie` is how
    many seconds late an event of another component may come; see `seatrial.events.matching`.
    """

    def __init__(self, feed: Feed, *, start: int = 0, tie: float = TIE) -> None:
        self._feed = feed
        self._start = start
        self._tie = tie
        self._opened = feed.clock.monotonic()
        self._read_up_to = 0
        self._highest = 0
        self._counts: dict[str, int] = {}
        self._entries: list[tuple[tuple[int, bool, int], Occurrence]] = []
        self._occurrences: tuple[Occurrence, ...] = ()
        self._gaps: list[Record] = []

    @classmethod
    def from_file(cls, path: str | Path) -> Timeline:
        """All events of a recording (`--seatrial-record`), with the tie of the day; no cluster.

        Raises `ConfigurationError` for what is no recording.
        """
        recording = Recording.read(path)
        timeline = cls(recording, tie=recording.header.tie)
        recording.finish()
        return timeline

    def __iter__(self) -> Iterator[Occurrence]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    @property
    def opened(self) -> float:
        """Where its time begins, in seconds on the feed's clock: when it was made, or earlier if
        there was a record by then."""
        self._read()
        return self._opened

    @property
    def gaps(self) -> tuple[Record, ...]:
        """Where the stream of events had to start over, so that some may have been lost."""
        self._read()
        return tuple(self._gaps)

    def of(
        self,
        object: str = "",  # noqa: A002 - the word for it in Kubernetes
        *,
        reason: str = "",
        type: str = "",  # noqa: A002 - the field's name in Kubernetes
        source: str = "",
        container: str = "",
    ) -> tuple[Occurrence, ...]:
        """The occurrences about that object (`Pod/flask-*`, or a kind) and with those values."""
        return tuple(
            seen
            for seen in self._read()
            if (not object or names(object, seen.object))
            and reason in ("", seen.reason)
            and type in ("", seen.type)
            and source in ("", seen.source)
            and container in ("", seen.container)
        )

    def latency(
        self, start: EventPattern | str, end: EventPattern | str, *, of: str | None = None
    ) -> Latency:
        """How many seconds each Pod took from one event to another, so far.

        `of="Deployment/flask"` is about that Deployment's Pods, as in `each_pod`. What can only be
        told of one of the two events is in `Latency.incomplete`, not left out. Raises
        `ConfigurationError` for what can be no event of a Pod.
        """
        return latency_of(self._read(), start, end, of=of, tie=self._tie)

    def expect(self, *patterns: Expected, within: float = 0.0) -> Match:
        """Wait at most `within` seconds until all of these patterns fit, each one for itself.

        An occurrence that `never` forbids ends the wait at once, and so does one more than
        `at_most`, or a gap that keeps the absence from being proven; without them, these two have
        the whole of `within` waited for. So does a budget that can no longer be kept.

        Raises `EventMismatchError`, with what was expected beside what was seen;
        `ConfigurationError` for what is no pattern, or one that cannot be decided; and the error
        that ended the stream, if one did.
        """
        if not patterns:
            raise ConfigurationError("expect() needs at least one pattern")
        wanted = _Wanted(patterns)
        deadline = Deadline.after(within, self._feed.clock)

        def look() -> Match | None:
            story = self._story(wanted, within)
            self._refuse_forbidden(story)
            allowed = self._allowed(story, wanted)
            for each in allowed:
                if each.verdict.state is State.IMPOSSIBLE:
                    raise each.error
            if any(_is_lasting(each) for each in story.expectations) and not deadline.passed:
                return None
            if any(not each.is_kept for each in allowed):
                return None
            return _fit(story.expectations, story.matcher)

        with self._feed.changed:
            found = wait_on(self._feed, look, deadline)
            if found is None:
                # time may have run out between the last look and the end of the wait
                story = self._story(wanted, within)
                self._refuse_forbidden(story)
                found = _fit(story.expectations, story.matcher)
                if found is None:
                    raise mismatch(story)
                unkept = [each for each in self._allowed(story, wanted) if not each.is_kept]
                if unkept:
                    raise unkept[0].error
            return found

    def _story(self, wanted: _Wanted, within: float) -> Story:
        matcher = self._matcher()
        now = self._feed.clock.monotonic()
        expectations = wanted.expectations(matcher.occurrences, tie=self._tie)
        return Story(expectations, matcher, self._gaps, self._opened, now, within)

    def _allowed(self, story: Story, wanted: _Wanted) -> list[_Allowed]:
        """What the budgets say of the Pods seen so far."""
        why = gap(story) if self._gaps else ""
        measured = [
            (each, each.latency(story.occurrences, tie=self._tie)) for each in wanted.budgets
        ]
        return [
            _Allowed(each, latency, each.judge(latency, now=story.now, gap=why))
            for each, latency in measured
        ]

    def _matcher(self) -> Matcher:
        occurrences = self._read()
        return Matcher(occurrences, tie=self._tie, opened=self._opened)

    def _refuse_forbidden(self, story: Story) -> None:
        for expected in story.expectations:
            error = forbidden(story, expected)
            if error:
                raise error
        lasting = [expected for expected in story.expectations if _is_lasting(expected)]
        if lasting and self._gaps:
            raise unprovable(story, lasting[0])

    def _read(self) -> tuple[Occurrence, ...]:
        """Take in what the feed has that is new."""
        with self._feed.changed:
            records = self._feed.records("Event", after=self._read_up_to)
            before = len(self._entries)
            for record in records:
                self._read_up_to = record.number
                self._take(record)
            if len(self._entries) > before:
                self._entries.sort(key=lambda entry: entry[0])
                self._occurrences = tuple(_numbered(seen for _, seen in self._entries))
            return self._occurrences

    def _take(self, record: Record) -> None:
        counts = record.number > self._start
        if counts:
            self._opened = min(self._opened, record.received)
        if record.change is Change.GAP:
            if counts:
                self._gaps.append(record)
            return
        if record.change is Change.DELETED:
            return
        uid = dig(record.object, "metadata", "uid", default="")
        # Of an object whose count has not risen nothing is new. That also tells what a list after a
        # gap delivers once more, of before `start` as well, which is why that is read too.
        known = self._counts.get(uid, 0)
        seen = Occurrence.of(record, known=known)
        if uid:
            self._counts[uid] = max(known, count_of(record.object))
        listed_at = seen.revision or self._highest
        self._highest = max(self._highest, seen.revision)
        if counts and seen.new > 0:
            revision = listed_at if seen.listed else self._highest
            self._entries.append(((revision, not seen.listed, record.number), seen))


class _Wanted:
    """What one `expect` asks for, sorted by what has to be done about it."""

    def __init__(self, patterns: Sequence[Expected]) -> None:
        self.budgets = [each for each in patterns if isinstance(each, Budget)]
        self._rest = [
            each if isinstance(each, NamedSequence) else expectation(each)
            for each in patterns
            if not isinstance(each, Budget)
        ]

    def expectations(self, occurrences: Sequence[Occurrence], *, tie: float) -> list[Expectation]:
        """The patterns; those of named sequences follow from what has been seen."""
        return [
            each.pattern(occurrences, tie=tie) if isinstance(each, NamedSequence) else each
            for each in self._rest
        ]


@dataclass(frozen=True)
class _Allowed:
    """A budget, what was measured, and what follows."""

    budget: Budget
    latency: Latency
    verdict: Verdict

    @property
    def is_kept(self) -> bool:
        return self.verdict.state is State.SATISFIED

    @property
    def error(self) -> EventMismatchError:
        return self.budget.error(self.latency, self.verdict)


def _is_lasting(expected: Expectation) -> bool:
    """Does it say what must not be? Then time has to pass before it holds."""
    return isinstance(expected, Never) or any(
        isinstance(part, Repeated) and part.at_most is not None for part in parts(expected)
    )


def _numbered(occurrences: Iterable[Occurrence]) -> Iterator[Occurrence]:
    for number, seen in enumerate(occurrences, start=1):
        yield seen if seen.number == number else replace(seen, number=number)


def _fit(expectations: Sequence[Expectation], matcher: Matcher) -> Match | None:
    pairs: list[tuple[EventPattern, Occurrence]] = []
    for expected in expectations:
        if isinstance(expected, Never):
            continue
        slots = slots_of(expected, matcher.occurrences)
        places = matcher.fit(slots)
        if places is None:
            return None
        found: dict[tuple[object, int], tuple[EventPattern, Occurrence]] = {}
        for number, (slot, place) in enumerate(zip(slots, places, strict=True)):
            if place is not None:
                # a delivery that stands for several times is one occurrence
                key = slot.times.number if slot.times else (number,)
                seen = matcher.occurrences[place]
                found.setdefault((key, place), (slot.leaf_of(seen), seen))
        pairs += found.values()
    return Match(pairs)
