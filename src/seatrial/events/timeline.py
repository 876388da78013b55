"""The events of a deployment as they come in, and expectations of them that can be waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Change, Record, dig
from seatrial.events.matching import TIE, Matcher, slots_of
from seatrial.events.mismatch import Story, forbidden, mismatch, unprovable
from seatrial.events.occurrence import Occurrence, count_of
from seatrial.events.patterns import EventPattern, Expectation, Never, expectation, names

__all__ = ["Match", "Timeline"]


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

    def expect(self, *patterns: Expectation | str, within: float = 0.0) -> Match:
        """Wait at most `within` seconds until all of these patterns fit, each one for itself.

        An occurrence that `never` forbids ends the wait at once, and so does a gap that keeps its
        absence from being proven; without them, `never` has the whole of `within` waited for.

        Raises `EventMismatchError`, with what was expected beside what was seen;
        `ConfigurationError` for what is no pattern, or one that cannot be decided; and the error
        that ended the stream, if one did.
        """
        if not patterns:
            raise ConfigurationError("expect() needs at least one pattern")
        expectations = [expectation(pattern) for pattern in patterns]
        deadline = Deadline.after(within, self._feed.clock)
        lasting = any(isinstance(expected, Never) for expected in expectations)

        def story(matcher: Matcher) -> Story:
            now = self._feed.clock.monotonic()
            return Story(expectations, matcher, self._gaps, self._opened, now, within)

        def look() -> Match | None:
            matcher = Matcher(self._read(), tie=self._tie)
            self._refuse_forbidden(story(matcher))
            if lasting and not deadline.passed:
                return None
            return _fit(expectations, matcher)

        with self._feed.changed:
            found = wait_on(self._feed, look, deadline)
            if found is None:
                # time may have run out between the last look and the end of the wait
                matcher = Matcher(self._read(), tie=self._tie)
                self._refuse_forbidden(story(matcher))
                found = _fit(expectations, matcher)
                if found is None:
                    raise mismatch(story(matcher))
            return found

    def _refuse_forbidden(self, story: Story) -> None:
        nevers = [expected for expected in story.expectations if isinstance(expected, Never)]
        for pattern in nevers:
            error = forbidden(story, pattern)
            if error:
                raise error
        if nevers and self._gaps:
            raise unprovable(story, nevers[0])

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
        pairs += [
            (slot.leaf, matcher.occurrences[place])
            for slot, place in zip(slots, places, strict=True)
        ]
    return Match(pairs)
