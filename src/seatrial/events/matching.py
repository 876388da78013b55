"""When does a pattern fit the events that were seen?

A pattern fits if its leaves can be given occurrences so that
- each leaf has an occurrence that matches it, and no two leaves share one;
- in an `in_order(A, B, …)`, the occurrence of every leaf of B comes after that of every leaf of A,
  and so on for all that follow.

What "after" means has to follow what Kubernetes guarantees, which is little. Each component writes
an event after its own change, asynchronously, so `SuccessfulCreate` (of the replica controller) can
be written after `Scheduled` (of the scheduler). One component, on the other hand, sends what it has
to say of an object through one queue (client-go's EventBroadcaster). Hence:
- Of the same source component, about the same object (kind, namespace, name, uid): strict. B comes
  after A if it stands after A in the timeline. The part of the object (`fieldPath`) makes no
  difference, as the containers of a Pod share the queue.
- Otherwise: tolerant. B comes after A as well if it was received no more than `tie` seconds before
  A. Of an occurrence that was listed, its own stamp counts in place of the receipt.

Finding such a fit is a constraint problem. Places that no partner supports are dropped from every
leaf's candidates until nothing changes; then the earliest candidates are tried, and a bipartite
matching in case leaves of an `any_order` want the same occurrence. For patterns that people write
this decides at once, in time that grows with the square of the leaves and with the events. What is
left is decided by splitting on whether a leaf takes an occurrence of a certain source and object,
and on which of two leaves gives way. Once the source and the object are known for every leaf, no
order can be violated by the earliest candidates. In general the problem is NP-hard (colouring a
permutation graph from lists can be put as one), so the number of splits is bounded, and a pattern
that exceeds it is refused rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import AnyOrder, EachPod, EventPattern, Pattern, names
from seatrial.events.precedence import Precedence, first_of

__all__ = ["SEARCH_LIMIT", "TIE", "Matcher", "Slot", "slots_of"]

TIE = 2.0
"""Seconds: components flush their events well within one, stamps are cut to whole ones."""

SEARCH_LIMIT = 2000
"""Steps of the search; ordinary patterns take fewer than ten, so many take about a second."""


@dataclass(frozen=True)
class Slot:
    """A leaf at its place in a pattern, after each_pod has been written out for the Pods seen."""

    leaf: EventPattern
    after: frozenset[int] = frozenset()
    """The numbers of the slots that must come before this one."""
    about: ObjectRef | None = None
    """Exactly this object, where each_pod asks for it."""
    groups: tuple[tuple[int, str], ...] = ()
    """The groups it stands in, outermost first: number of the first slot in it, and title."""

    @property
    def on(self) -> str:
        """The object it is expected on, for a person."""
        return str(self.about) if self.about else self.leaf.on

    def differences(self, seen: Occurrence) -> Iterator[str]:
        """Why `seen` is not matched, one reason at a time; nothing if it is."""
        if self.about is not None and seen.object != self.about:
            yield f"object is {seen.object}"
        yield from self.leaf.differences(seen)


def slots_of(pattern: Pattern, occurrences: Iterable[Occurrence]) -> tuple[Slot, ...]:
    """The leaves of a pattern in the order they are written, `each_pod` once for each Pod.

    An each_pod for which there is no Pod is left with its leaves, which nothing matches.
    """
    slots: list[Slot] = []
    seen_objects = dict.fromkeys(seen.object for seen in occurrences)

    def lay_out(
        part: Pattern,
        after: frozenset[int],
        groups: tuple[tuple[int, str], ...],
        about: ObjectRef | None,
        title: str = "",
    ) -> None:
        start = len(slots)
        if isinstance(part, EventPattern):
            slots.append(Slot(part, after, about, groups))
        elif isinstance(part, EachPod):
            inside = (*groups, (start, part.title))
            pods = [ref for ref in seen_objects if names(part.pods, ref)]
            for pod in pods:
                lay_out(part.order, after, inside, pod, str(pod))
            if not pods:
                lay_out(part.order, after, inside, about)
        elif isinstance(part, AnyOrder):
            for child in part.patterns:
                lay_out(child, after, (*groups, (start, "in any order")), about)
        else:
            inside = (*groups, (start, title or "in order"))
            for child in part.patterns:
                first = len(slots)
                lay_out(child, after, inside, about)
                after |= frozenset(range(first, len(slots)))

    lay_out(pattern, frozenset(), (), None)
    return tuple(slots)


class Matcher:
    """Fits slots to the occurrences of one timeline, which are in its order.

    Pure: nothing is read but what is handed in.
    """

    def __init__(
        self,
        occurrences: Sequence[Occurrence],
        *,
        tie: float = TIE,
        search_limit: int = SEARCH_LIMIT,
    ) -> None:
        self.occurrences = occurrences
        self.tie = tie
        self._search_limit = search_limit
        self._candidates: dict[tuple[EventPattern, ObjectRef | None], list[int]] = {}
        self._domains: dict[tuple[EventPattern, ObjectRef | None], int] = {}

    @cached_property
    def precedence(self) -> Precedence:
        return Precedence(self.occurrences, tie=self.tie)

    @cached_property
    def _by_reason(self) -> dict[str, list[int]]:
        by_reason: dict[str, list[int]] = {}
        for place, seen in enumerate(self.occurrences):
            by_reason.setdefault(seen.reason, []).append(place)
        return by_reason

    def candidates(self, slot: Slot) -> list[int]:
        """The places whose occurrence matches the slot's leaf, in rising order."""
        key = slot.leaf, slot.about
        if key not in self._candidates:
            self._candidates[key] = [
                place
                for place in self._by_reason.get(slot.leaf.reason, ())
                if next(slot.differences(self.occurrences[place]), None) is None
            ]
        return self._candidates[key]

    def _domain(self, slot: Slot) -> int:
        key = slot.leaf, slot.about
        if key not in self._domains:
            self._domains[key] = sum(1 << place for place in self.candidates(slot))
        return self._domains[key]

    def fit(
        self, slots: Sequence[Slot], *, only: Collection[int] | None = None
    ) -> list[int] | None:
        """The place given to each slot, or None if these slots do not fit.

        `only` asks for some of the slots, by their numbers in rising order, as if the others were
        not there. Raises `ConfigurationError` if the search is given up.
        """
        chosen = range(len(slots)) if only is None else only
        place_of = {number: place for place, number in enumerate(chosen)}
        domains = [self._domain(slots[number]) for number in chosen]
        if not all(domains):
            return None
        after = [[place_of[a] for a in sorted(slots[n].after) if a in place_of] for n in chosen]
        return _Search(self.precedence, after).solve(domains, self._search_limit)


class _Search:
    """The search for one fit; its variables are numbered, their domains are sets of places."""

    def __init__(self, precedence: Precedence, befores: Sequence[Sequence[int]]) -> None:
        self.precedence = precedence
        self.befores = befores
        self.afters: list[list[int]] = [[] for _ in befores]
        for variable, before in enumerate(befores):
            for earlier in before:
                self.afters[earlier].append(variable)

    def solve(self, domains: list[int], limit: int) -> list[int] | None:
        open_branches = [(domains, list(range(len(domains))))]
        for _ in range(limit):
            if not open_branches:
                return None
            domains, touched = open_branches.pop()
            if not self._narrow(domains, touched):
                continue
            earliest = [first_of(domain) for domain in domains]
            conflict = self._conflict(earliest)
            if conflict is None:
                return earliest
            distinct = _distinct(domains)
            if distinct is None:
                continue
            if self._conflict(distinct) is None:
                return distinct
            open_branches += self._split(domains, earliest, *conflict)
        raise ConfigurationError(
            "the pattern can be read in too many ways to decide whether the events fit it",
            hint="name the object of each event: on='Pod/flask-*', or use each_pod(…)",
        )

    def _narrow(self, domains: list[int], touched: list[int]) -> bool:
        """Drop, in place, what some other domain does not support; False if one is left empty."""
        waiting = dict.fromkeys(touched)
        while waiting:
            variable, _ = waiting.popitem()
            for partners, related in (
                (self.afters[variable], self.precedence.after_any),
                (self.befores[variable], self.precedence.before_any),
            ):
                if not partners:
                    continue
                supported = related(domains[variable])
                for partner in partners:
                    left = domains[partner] & supported
                    if not left:
                        return False
                    if left != domains[partner]:
                        domains[partner] = left
                        waiting[partner] = None
        return True

    def _conflict(self, places: Sequence[int]) -> tuple[int, int] | None:
        """Two variables that cannot have these places at once, the earlier one first."""
        for variable, befores in enumerate(self.befores):
            for before in befores:
                if not self.precedence.may_follow(places[before], places[variable]):
                    return before, variable
        holders: dict[int, int] = {}
        for variable, place in enumerate(places):
            if place in holders:
                return holders[place], variable
            holders[place] = variable
        return None

    def _split(
        self, domains: list[int], earliest: Sequence[int], one: int, other: int
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Branches that hold all fits between them, the last one to be looked at first."""
        if one in self.befores[other]:
            # Both are of one chain, in the wrong order. `other` kept its place for the sake of a
            # place of `one` outside that chain, so both branches are smaller and not empty.
            chain = self.precedence.chain(earliest[one])
            yield _with(domains, {one: domains[one] & ~chain})
            yield _with(domains, {one: domains[one] & chain})
            return
        wanted = 1 << earliest[one]
        if not self._twins(domains, one, other) and domains[one] != wanted:
            yield _with(domains, {one: domains[one] & ~wanted, other: wanted})
        if domains[other] != wanted:
            yield _with(domains, {other: domains[other] & ~wanted})

    def _twins(self, domains: list[int], one: int, other: int) -> bool:
        """Can the two be exchanged in every fit? Then one branch stands for both."""
        return (
            domains[one] == domains[other]
            and self.befores[one] == self.befores[other]
            and self.afters[one] == self.afters[other]
        )


def _with(domains: list[int], changes: dict[int, int]) -> tuple[list[int], list[int]]:
    changed = list(domains)
    for variable, domain in changes.items():
        changed[variable] = domain
    return changed, list(changes)


def _distinct(domains: Sequence[int]) -> list[int] | None:
    """A different place of its domain for each variable, early ones first; None if there are none.

    A bipartite matching, by augmenting paths.
    """
    places = [-1] * len(domains)
    holders: dict[int, int] = {}
    taken = 0
    for variable in range(len(domains)):
        reached_from: dict[int, int] = {}
        reached = 0
        queue = [variable]
        for current in queue:
            free = domains[current] & ~taken
            if free:
                break
            for place in _places(domains[current] & ~reached):
                reached_from[place] = current
                queue.append(holders[place])
            reached |= domains[current]
        else:
            return None
        place = first_of(free)
        taken |= 1 << place
        while True:
            given_up = places[current]
            places[current] = place
            holders[place] = current
            if current == variable:
                break
            place, current = given_up, reached_from[given_up]
    return places


def _places(places: int) -> Iterator[int]:
    while places:
        place = first_of(places)
        yield place
        places &= ~(1 << place)
