"""When does a pattern fit the events that were seen?

A pattern fits if its leaves can be given occurrences so that
- each leaf has an occurrence that matches it, and no two leaves share one;
- in an `in_order(A, B, …)`, the occurrence of every leaf of B comes after that of every leaf of A,
  and so on for all that follow;
- of a `one_of`, one alternative takes part, and the leaves of the others need nothing;
- an `optional` takes part, or it did not occur: its leaves and those that do take part cannot each
  be given an occurrence of their own, whatever their order and time;
- of a `repeated`, as many as `at_least` says take part, and no more than `at_most` occurred at all.
  Of a delivery, each new time that the Event object counted is an occurrence of its own here;
- from the first to the last occurrence of a group there are at most `within` seconds, and from the
  opening of the timeline to that of an event with `within`.

What "after" means has to follow what Kubernetes guarantees, which is little. Each component writes
an event after its own change, asynchronously, so `SuccessfulCreate` (of the replica controller) can
be written after `Scheduled` (of the scheduler). One component, on the other hand, sends what it has
to say of an object through one queue (client-go's EventBroadcaster). Hence:
- Of the same source component, about the same object (kind, namespace, name, uid): strict. B comes
  after A if it stands after A in the timeline. The part of the object (`fieldPath`) makes no
  difference, as the containers of a Pod share the queue.
- Otherwise: tolerant. B comes after A as well if it was received no more than `tie` seconds before
  A. Of an occurrence that was listed, its own stamp counts in place of the receipt.

`within` goes by the same moments: those of receipt, which follow the writing within milliseconds;
of what was listed, stamps that are cut to whole seconds, so that a second is their accuracy.

How a fit is found is told in `seatrial.events.search`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from seatrial.core.model import ObjectRef
from seatrial.events.assignment import distinct
from seatrial.events.layout import Slot, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.precedence import Precedence
from seatrial.events.search import Problem, Search

__all__ = ["SEARCH_LIMIT", "TIE", "Matcher", "Slot", "slots_of"]

TIE = 2.0
"""Seconds: components flush their events well within one, stamps are cut to whole ones."""

SEARCH_LIMIT = 2000
"""Steps of the search; ordinary patterns take fewer than ten, so many take about a second."""


class Matcher:
    """Fits slots to the occurrences of one timeline, which are in its order.

    `opened` is where the `within` of an event counts from, in seconds on the feed's clock. Pure:
    nothing is read but what is handed in.
    """

    def __init__(
        self,
        occurrences: Sequence[Occurrence],
        *,
        tie: float = TIE,
        opened: float = 0.0,
        search_limit: int = SEARCH_LIMIT,
    ) -> None:
        self.occurrences = occurrences
        self.tie = tie
        self.opened = opened
        self.steps = 0
        """How many steps its searches have taken."""
        self._search_limit = search_limit
        self._candidates: dict[object, list[int]] = {}

    @cached_property
    def precedence(self) -> Precedence:
        return Precedence(self.occurrences, tie=self.tie)

    @cached_property
    def _places(self) -> dict[tuple[str, ObjectRef | None], list[int]]:
        """By reason, about any object and about each."""
        places: dict[tuple[str, ObjectRef | None], list[int]] = {}
        for place, seen in enumerate(self.occurrences):
            places.setdefault((seen.reason, None), []).append(place)
            places.setdefault((seen.reason, seen.object), []).append(place)
        return places

    def candidates(self, slot: Slot) -> list[int]:
        """The places whose occurrence matches the slot's leaf, in rising order, late ones too."""
        key = slot.leaves, slot.about
        if key not in self._candidates:
            reasons = dict.fromkeys(leaf.reason for leaf in slot.leaves)
            self._candidates[key] = sorted(
                place
                for reason in reasons
                for place in self._places.get((reason, slot.about), ())
                if next(slot.differences(self.occurrences[place]), None) is None
            )
        return self._candidates[key]

    def in_time(self, slot: Slot) -> list[int]:
        """Those candidates that its own `within` admits."""
        within = slot.leaf.within
        candidates = self.candidates(slot)
        if within is None:
            return candidates
        latest = self.opened + within
        return [place for place in candidates if self.precedence.moments[place] <= latest]

    def occurred(self, slot: Slot) -> int:
        """How often what the slot expects occurred, wherever it stands."""
        return sum(self.occurrences[place].new for place in self.candidates(slot))

    def exceeded(self, slot: Slot) -> bool:
        """Did it occur more often than `at_most` says?"""
        most = slot.times.asked.at_most if slot.times else None
        return most is not None and self.occurred(slot) > most

    def fit(
        self,
        slots: Sequence[Slot],
        *,
        only: Collection[int] | None = None,
        windows: Mapping[int, float] | None = None,
    ) -> list[int | None] | None:
        """The place given to each slot, None for one that takes no part; None if they do not fit.

        `only` asks for some of the slots, by their numbers in rising order, as if these took part
        and the others were not there; of the groups with a `within`, only those that `windows`
        names then hold, with the seconds given there.

        Raises `ConfigurationError` if the search is given up.
        """
        chosen = range(len(slots)) if only is None else only
        picked = [slots[number] for number in chosen]
        precedence = self._precedence_for(picked)
        seen = [self._bits(precedence, slot, self.candidates(slot)) for slot in picked]
        if only is None and windows is None:
            windows = {
                group.number: group.within
                for slot in picked
                for group in slot.groups
                if group.within is not None
            }
        position = {number: place for place, number in enumerate(chosen)}
        problem = Problem(
            domains=[
                0
                if self.exceeded(slot)
                else all_seen
                if slot.leaf.within is None
                else self._bits(precedence, slot, self.in_time(slot))
                for slot, all_seen in zip(picked, seen, strict=True)
            ],
            seen=seen,
            leaves=[
                tuple(
                    self._bits(precedence, each, self.candidates(each))
                    for each in slot.single_leaves
                )
                if slot.others
                else (all_seen,)
                for slot, all_seen in zip(picked, seen, strict=True)
            ],
            befores=[
                [position[before] for before in sorted(slot.after) if before in position]
                for slot in picked
            ],
            gates=[slot.gates if only is None else () for slot in picked],
            windows=_windows(picked, windows or {}),
            chains=_chains(picked),
        )
        search = Search(problem, precedence, self._search_limit)
        try:
            found = search.solve()
        finally:
            self.steps += search.steps
        if found is None:
            return None
        return [None if place is None else precedence.places[place] for place in found]

    def enough_for(self, slots: Sequence[Slot]) -> bool:
        """Can each of them be given an occurrence of its own, whatever the order and the time?"""
        precedence = self._precedence_for(slots)
        seen = [self._bits(precedence, slot, self.candidates(slot)) for slot in slots]
        return not slots or bool(distinct(seen, range(len(slots)))[0])

    def _precedence_for(self, slots: Sequence[Slot]) -> Precedence:
        """With as many copies of a delivery as can be given away, to count its repetitions."""
        copies: dict[int, int] = {}
        for slot in slots:
            for place in self.candidates(slot) if slot.times else ():
                if self.occurrences[place].new > copies.get(place, 1):
                    # one more than there are slots that count, for a slot that does not
                    copies[place] = copies.get(place, 1) + 1
        if not copies:
            return self.precedence
        return Precedence(self.occurrences, tie=self.tie, copies=copies)

    def _bits(self, precedence: Precedence, slot: Slot, places: Sequence[int]) -> int:
        bits = 0
        for place in places:
            copies = precedence.of(place)
            # only what is repeated counts the times of one delivery
            bits |= ((1 << (len(copies) if slot.times else 1)) - 1) << copies.start
        return bits


def _windows(slots: Sequence[Slot], within: Mapping[int, float]) -> list[tuple[list[int], float]]:
    members: dict[int, list[int]] = {number: [] for number in within}
    for place, slot in enumerate(slots):
        for group in slot.groups:
            if group.number in members:
                members[group.number].append(place)
    return [(members[number], seconds) for number, seconds in within.items()]


def _chains(slots: Sequence[Slot]) -> list[list[int]]:
    chains: dict[int, list[int]] = {}
    for place, slot in enumerate(slots):
        if slot.times:
            chains.setdefault(slot.times.number, []).append(place)
    return list(chains.values())
