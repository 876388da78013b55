"""What was seen of each leaf of a pattern that does not fit as a whole.

A pattern with choices can be read in several ways. The one that is told of takes part with what is
optional wherever that occurred, and with the alternative of each one_of that comes nearest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from seatrial.core.model import Record
from seatrial.events.choices import Choices
from seatrial.events.layout import Group, Slot, slots_of
from seatrial.events.matching import Matcher
from seatrial.events.occurrence import Occurrence
from seatrial.events.parts import Expectation, Pattern, names

__all__ = [
    "Finding",
    "Findings",
    "Slowness",
    "Story",
    "object_named",
    "of_other",
    "shorten",
    "times",
]

TAKEN, LEFT_OUT = 0, 1
"""The alternatives of what is optional."""


@dataclass(frozen=True)
class Story:
    """What there is to tell: the events seen so far, and what was asked of them."""

    expectations: Sequence[Expectation]
    matcher: Matcher
    gaps: Sequence[Record]
    opened: float
    """Seconds on the feed's clock; times in the text count from here."""
    now: float
    within: float

    @property
    def occurrences(self) -> Sequence[Occurrence]:
        return self.matcher.occurrences

    def at(self, seconds: float) -> str:
        return f"{seconds - self.opened:.2f}s"

    def when(self, seen: Occurrence) -> str:
        return "listed" if seen.listed else self.at(seen.received)


@dataclass(frozen=True)
class Finding:
    """What was seen of one slot: an occurrence in its place, or what there was instead."""

    number: int
    slot: Slot
    seen: Occurrence | None = None
    problem: str = ""
    """For the first line, after "but Started "; empty if nothing is wrong."""
    evidence: tuple[str | Occurrence, ...] = ()
    """For the table, line by line."""
    aside: bool = False
    """It takes no part in what is told, and is there to compare."""


@dataclass(frozen=True)
class Slowness:
    """A group that took longer than its `within`, in whichever way it is read."""

    group: Group
    first: Finding
    last: Finding
    took: float
    """Seconds, at the least."""


class Findings:
    """What was seen of each slot of one pattern (`all`), and `slow` if but a time was exceeded."""

    def __init__(self, story: Story, pattern: Pattern) -> None:
        self.story = story
        self.slots = slots_of(pattern, story.occurrences)
        self._choices = Choices([slot.gates for slot in self.slots])
        self._taken: dict[int, int] = {}
        self._choose()
        self._told = _Fitting(story, self.slots, filter(self._takes_part, range(len(self.slots))))
        self.slow = None if self._told.wrong else self._told.slowness()
        self.all = [
            self._told.finding(number) if self._takes_part(number) else self._aside(number)
            for number in range(len(self.slots))
        ]
        self.wrong = next((f for f in self.all if f.problem and not f.aside), None)

    def alternatives(self, number: int) -> list[Slot]:
        """What the alternatives of a one_of begin with, if this slot begins one of them."""
        for gate in reversed(self.slots[number].gates):
            if gate.optional:
                continue
            firsts: dict[int, Slot] = {}
            for slot in self.slots:
                for other in slot.gates:
                    if other.choice == gate.choice:
                        firsts.setdefault(other.option, slot)
            return list(firsts.values()) if self.slots[number] in firsts.values() else []
        return []

    # ---- which way to read it

    def _takes_part(self, number: int) -> bool:
        return self._live(self._choices.ways[number])

    def _live(self, ways: Iterable[tuple[int, int]]) -> bool:
        return all(self._taken.get(choice) == way for choice, way in ways)

    def _choose(self) -> None:
        waiting = sorted(self._choices.options)
        while live := [c for c in waiting if self._live(self._choices.above(c))]:
            # what is optional last: whether it occurred depends on what else takes part
            choice = min(live, key=lambda c: (c in self._choices.optionals, c))
            waiting.remove(choice)
            if choice in self._choices.optionals:
                self._taken[choice] = TAKEN if self._occurred(choice) else LEFT_OUT
            else:
                ways = range(self._choices.options[choice].bit_length())
                self._taken[choice] = min(ways, key=lambda way: self._way(choice, way).distance)

    def _occurred(self, choice: int) -> bool:
        """As the matcher has it; beside those of the others for which there are occurrences."""
        enough_for = self.story.matcher.enough_for
        readings = [[self.slots[n] for n in r] for r in self._choices.readings(choice)]
        if not any(enough_for(reading) for reading in readings):
            return False
        reasons = {leaf.reason for reading in readings for slot in reading for leaf in slot.leaves}
        beside: list[Slot] = []
        for number, slot in enumerate(self.slots):
            wants_the_same = any(leaf.reason in reasons for leaf in slot.leaves)
            if wants_the_same and self._takes_part(number) and enough_for([*beside, slot]):
                beside.append(slot)
        return any(enough_for([*beside, *reading]) for reading in readings)

    def _way(self, choice: int, way: int) -> _Fitting:
        """An alternative of a one_of, with what stands in the same group beside it."""
        reading = min(
            self._choices.readings(choice, way),
            key=lambda numbers: sum(not self._seen_at_all(number) for number in numbers),
        )
        behind = [slot for slot in self.slots if any(g.choice == choice for g in slot.gates)]
        # the groups that all of them have in common end with that of the one_of itself
        *_, parent, _ = (None, *_common([slot.groups for slot in behind]))
        beside = [
            number
            for number, slot in enumerate(self.slots)
            if parent in slot.groups and self._takes_part(number)
        ]
        return _Fitting(self.story, self.slots, sorted([*beside, *reading]))

    def _seen_at_all(self, number: int) -> bool:
        return bool(self.story.matcher.candidates(self.slots[number]))

    def _aside(self, number: int) -> Finding:
        """What to say of a slot that takes no part."""
        slot = self.slots[number]
        choice, way = next((c, w) for c, w in self._choices.ways[number] if self._taken.get(c) != w)
        if choice in self._choices.optionals:
            seen = "not all of it seen" if self._seen_at_all(number) else "not seen"
            return Finding(number, slot, evidence=(f"{seen}, but optional",), aside=True)
        chosen = (choice, self._taken[choice])
        if any(chosen in self._choices.ways[wrong] for wrong in self._told.wrong):
            found = self._way(choice, way).wrong.get(number)
            if found:
                return Finding(
                    number, slot, problem=found.problem, evidence=found.evidence, aside=True
                )
        return Finding(number, slot, evidence=("not taken",), aside=True)


def _common(groups: Sequence[tuple[Group, ...]]) -> list[Group]:
    return [
        level[0] for level in zip(*groups, strict=False) if all(one == level[0] for one in level)
    ]


class _Fitting:
    """As many slots as fit together, taken in the order they are written, and why others do not.

    No choice is left among them, and how long they take is left aside.
    """

    def __init__(self, story: Story, slots: Sequence[Slot], numbers: Iterable[int]) -> None:
        self.story = story
        self.matcher = story.matcher
        self.slots = slots
        self.fitting: list[int] = []
        self.places: dict[int, int] = {}
        self.wrong: dict[int, Finding] = {}
        self._held: set[int] = set()
        for number in numbers:
            self._add(number)

    def finding(self, number: int) -> Finding:
        if number in self.wrong:
            return self.wrong[number]
        return Finding(number, self.slots[number], self.story.occurrences[self.places[number]])

    @property
    def distance(self) -> tuple[int, int]:
        """How far it is from fitting: the less is wrong, and the more fits, the nearer."""
        return len(self.wrong), -len(self.fitting)

    def _add(self, number: int) -> None:
        slot = self.slots[number]
        if self.matcher.exceeded(slot):
            self.wrong[number] = self._exceeded(number)
            return
        candidates = self.matcher.in_time(slot)
        place = next((c for c in candidates if self._free(slot, c)), None)
        if place is None and candidates:
            fit = self.matcher.fit(self.slots, only=[*self.fitting, number])
            if fit is not None:
                self._take([*self.fitting, number], fit)
                return
        if place is None:
            self.wrong[number] = self._problem(number)
        else:
            self.fitting.append(number)
            self.places[number] = place
            self._held.add(place)

    def _take(self, numbers: list[int], fit: Sequence[int | None]) -> None:
        self.fitting = numbers
        self.places = {
            number: place for number, place in zip(numbers, fit, strict=True) if place is not None
        }
        self._held = set(self.places.values())

    def _free(self, slot: Slot, place: int) -> bool:
        return place not in self._held and all(
            self.matcher.precedence.may_follow(self.places[before], place)
            for before in slot.after
            if before in self.places
        )

    # ---- why one does not fit

    def _exceeded(self, number: int) -> Finding:
        slot = self.slots[number]
        seen = [self.story.occurrences[place] for place in self.matcher.candidates(slot)]
        return Finding(
            number,
            slot,
            problem=f"was seen {times(self.matcher.occurred(slot))}",
            evidence=(f"seen {times(self.matcher.occurred(slot))}, last:", seen[-1]),
        )

    def _problem(self, number: int) -> Finding:
        slot = self.slots[number]
        candidates = self.matcher.candidates(slot)
        if not candidates:
            return self._missing(number)
        in_time = self.matcher.in_time(slot)
        if not in_time:
            first = self.story.occurrences[candidates[0]]
            late = self.story.at(self.matcher.precedence.moments[candidates[0]])
            return Finding(
                number,
                slot,
                problem=f"was first seen at {late}",
                evidence=(f"seen, but not before {late}:", first),
            )
        untaken = [place for place in in_time if place not in self._held]
        if untaken:
            # as it is free and was not taken, it must stand before something it should follow
            before = self._stands_before(slot, untaken[-1])
            other = self.slots[before]
            problem = f"was seen before {other.reason}{of_other(other, slot)}"
            if slot.times and slot.times.index:
                problem = f"was seen only {times(slot.times.index)} there"
            return Finding(
                number,
                slot,
                problem=problem,
                evidence=(
                    f"seen, but before {other.reason}:",
                    self.story.occurrences[untaken[-1]],
                    self.story.occurrences[self.places[before]],
                ),
            )
        taken_by = "which the line above took" if len(candidates) == 1 else "which lines above took"
        return Finding(
            number,
            slot,
            problem=f"was seen only {times(self.matcher.occurred(slot))}",
            evidence=(f"seen only {times(self.matcher.occurred(slot))},", taken_by),
        )

    def _stands_before(self, slot: Slot, place: int) -> int:
        """The last slot that it should follow and stands before, at this place."""
        follows = self.matcher.precedence.may_follow
        return max(
            number
            for number in slot.after
            if number in self.places and not follows(self.places[number], place)
        )

    def _missing(self, number: int) -> Finding:
        slot, occurrences = self.slots[number], self.story.occurrences
        reasons = {leaf.reason for leaf in slot.leaves}
        same = [seen for seen in occurrences if seen.reason in reasons]
        if same:
            nearest = min(reversed(same), key=lambda seen: len(list(slot.differences(seen))))
            why = list(slot.differences(nearest))
            elsewhere = why[0].startswith("object ")
            return Finding(
                number,
                slot,
                problem="was not seen" if elsewhere else f"was seen only where {why[0]}",
                evidence=("not seen; nearest:", nearest, f"  whose {'; '.join(why)}"),
            )
        on_it = [
            seen
            for seen in reversed(occurrences)
            if (slot.about is None or seen.object == slot.about)
            and any(not leaf.on or names(leaf.on, seen.object) for leaf in slot.leaves)
        ]
        # perhaps the reason is misspelt
        known = {seen.reason for seen in on_it}
        like = [m for r in sorted(reasons) for m in difflib.get_close_matches(r, known, n=1)]
        evidence: tuple[str | Occurrence, ...] = (
            "not seen, on any object" if slot.on else "not seen",
        )
        if like:
            nearest = next(seen for seen in on_it if seen.reason == like[0])
            evidence = ("not seen; nearest:", nearest, f"  whose reason is {like[0]}")
        return Finding(number, slot, problem="was not seen", evidence=evidence)

    # ---- what took too long

    def slowness(self) -> Slowness | None:
        """The first group whose `within` cannot be kept, together with those before it."""
        held: dict[int, float] = {}
        for group, members in self._timed():
            within = held[group.number] = group.within or 0.0
            # most often a group is too slow by itself, which is found out faster
            alone = self.matcher.fit(self.slots, only=members, windows={group.number: within})
            if (
                alone is None
                or self.matcher.fit(self.slots, only=self.fitting, windows=held) is None
            ):
                return self._quickest(group, members, held)
        return None

    def _timed(self) -> Iterator[tuple[Group, list[int]]]:
        members: dict[Group, list[int]] = {}
        for number in self.fitting:
            for group in self.slots[number].groups:
                if group.within is not None:
                    members.setdefault(group, []).append(number)
        return iter(members.items())

    def _quickest(self, group: Group, members: list[int], held: dict[int, float]) -> Slowness:
        """Told of the quickest way there is, by looking for the seconds that would have done."""
        moments = self.matcher.precedence.moments
        low, high = held[group.number], moments[-1] - moments[0]
        seconds = high
        while high - low > 0.01:
            fit = self.matcher.fit(
                self.slots, only=self.fitting, windows={**held, group.number: seconds}
            )
            if fit is None:
                low = seconds
            else:
                high = seconds
                self._take(self.fitting, fit)
            seconds = (low + high) / 2
        first = min(members, key=self.places.__getitem__)
        last = max(members, key=self.places.__getitem__)
        took = moments[self.places[last]] - moments[self.places[first]]
        return Slowness(group, self.finding(first), self.finding(last), took)


def of_other(other: Slot, slot: Slot) -> str:
    """The object of another slot, unless it goes without saying."""
    return f" of {object_named(other.on, 30)}" if other.on and other.on != slot.on else ""


def object_named(on: str, width: int) -> str:
    return shorten(on, width) if "/" in on else f"any {on}"


def shorten(text: str, width: int) -> str:
    """Cut in the middle: the end of a Pod's name tells it from its siblings."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
