"""A pattern laid out for the Pods that were seen: its leaves, each at its place, as slots.

Every group is gone afterwards; what it asked for stands in the slots: which ones come before, which
choices they hang on, how often they are repeated, how long the group may take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.parts import (
    AnyOrder,
    EachPod,
    EventPattern,
    InOrder,
    OneOf,
    OptionalPattern,
    Pattern,
    Repeated,
    leaves,
    names,
)

__all__ = ["Gate", "Group", "Slot", "Times", "slots_of"]


@dataclass(frozen=True)
class Group:
    """A group that slots stand in, for the heading above them and for its `within`."""

    number: int
    title: str
    within: float | None = None


@dataclass(frozen=True)
class Gate:
    """An alternative of a choice; the slots behind it take part only if it is taken."""

    choice: int
    option: int
    options: int
    """How many alternatives there are."""
    optional: bool = False
    """The second of two alternatives is to leave it out."""


@dataclass(frozen=True)
class Times:
    """Which of several times a slot stands for, where one event is to be `repeated`."""

    number: int
    """Of the repetition; the slots of one have it in common."""
    index: int
    asked: Repeated


@dataclass(frozen=True)
class Slot:
    """A leaf at its place in a pattern, after each_pod has been written out for the Pods seen."""

    leaf: EventPattern
    after: frozenset[int] = frozenset()
    """The numbers of the slots that must come before this one."""
    about: ObjectRef | None = None
    """Exactly this object, where each_pod asks for it."""
    groups: tuple[Group, ...] = ()
    """The groups it stands in, outermost first."""
    others: tuple[EventPattern, ...] = ()
    """Leaves that do as well, in a one_of of events."""
    gates: tuple[Gate, ...] = ()
    """What must have been chosen for it to take part, outermost first."""
    times: Times | None = None

    @property
    def leaves(self) -> tuple[EventPattern, ...]:
        return (self.leaf, *self.others)

    @property
    def single_leaves(self) -> tuple[Slot, ...]:
        """The slot as it is for each of its leaves alone."""
        return tuple(replace(self, leaf=leaf, others=()) for leaf in self.leaves)

    @property
    def reason(self) -> str:
        """What is expected, for a person."""
        return " or ".join(dict.fromkeys(leaf.reason for leaf in self.leaves))

    @property
    def on(self) -> str:
        """The object it is expected on, for a person."""
        if self.about:
            return str(self.about)
        objects = {leaf.on for leaf in self.leaves}
        return objects.pop() if len(objects) == 1 else ""

    def differences(self, seen: Occurrence) -> Iterator[str]:
        """Why `seen` is not matched, one reason at a time; nothing if it is."""
        if self.about is not None and seen.object != self.about:
            yield f"object is {seen.object}"
        if not self.others:
            yield from self.leaf.differences(seen)
            return
        ways = [(leaf.reason != seen.reason, list(leaf.differences(seen))) for leaf in self.leaves]
        yield from min(ways, key=lambda way: (way[0], len(way[1])))[1]

    def leaf_of(self, seen: Occurrence) -> EventPattern:
        """The first of its leaves that matches."""
        return next(leaf for leaf in self.leaves if leaf.matches(seen))


@dataclass(frozen=True)
class _Place:
    """Where a part of the pattern stands."""

    after: frozenset[int] = frozenset()
    groups: tuple[Group, ...] = ()
    gates: tuple[Gate, ...] = ()
    about: ObjectRef | None = None
    title: str = ""
    """In place of the usual heading."""


def slots_of(pattern: Pattern, occurrences: Iterable[Occurrence]) -> tuple[Slot, ...]:
    """The leaves of a pattern in the order they are written.

    `each_pod` is written out once for each Pod, and `repeated` as often as `at_least` says. An
    each_pod for which there is no Pod is left with its leaves, all of which it asks for.
    """
    layout = _Layout(occurrences)
    layout.add(pattern, _Place())
    return tuple(layout.slots)


class _Layout:
    def __init__(self, occurrences: Iterable[Occurrence]) -> None:
        self.slots: list[Slot] = []
        self.objects = dict.fromkeys(seen.object for seen in occurrences)
        self.groups = 0
        self.choices = 0

    def add(self, part: Pattern, at: _Place) -> None:
        if isinstance(part, EventPattern):
            self._slot(at, part)
        elif isinstance(part, InOrder):
            self._in_order(part.patterns, self._group(at, "in order", part.within))
        elif isinstance(part, AnyOrder):
            self._any_order(part, self._group(at, "in any order", part.within))
        elif isinstance(part, EachPod):
            self._each_pod(part, self._group(at, part.title))
        elif isinstance(part, OptionalPattern):
            self._optional(part.pattern, at)
        elif isinstance(part, OneOf):
            self._one_of(part, at)
        elif part.at_least == 0:
            self._optional(replace(part, at_least=1), at, asked=part)
        else:
            self._repeated(part, at)

    def _slot(
        self,
        at: _Place,
        leaf: EventPattern,
        others: tuple[EventPattern, ...] = (),
        times: Times | None = None,
    ) -> None:
        self.slots.append(Slot(leaf, at.after, at.about, at.groups, others, at.gates, times))

    def _group(self, at: _Place, title: str, within: float | None = None) -> _Place:
        self.groups += 1
        title = at.title or title
        if within is not None:
            title += f", within {within:g} s"
        return replace(at, groups=(*at.groups, Group(self.groups, title, within)), title="")

    def _gate(self, at: _Place, option: int, options: int, *, optional: bool = False) -> _Place:
        return replace(at, gates=(*at.gates, Gate(self.choices, option, options, optional)))

    def _in_order(self, patterns: Iterable[Pattern], at: _Place) -> None:
        last: Pattern | None = None
        inside = at
        for child in patterns:
            first = len(self.slots)
            if isinstance(child, OptionalPattern):
                # Of equal ones in a row, the later hang on the earlier: which of them are left out
                # makes no difference, so that there is no need to try them all.
                gates = inside.gates if child == last else at.gates
                inside = self._optional(child.pattern, replace(at, gates=gates))
            else:
                self.add(child, at)
            at = replace(at, after=at.after | frozenset(range(first, len(self.slots))))
            last = child

    def _any_order(self, part: AnyOrder, at: _Place) -> None:
        for child in part.patterns:
            self.add(child, at)

    def _each_pod(self, part: EachPod, at: _Place) -> None:
        pods = [ref for ref in self.objects if names(part.pods, ref)]
        for pod in pods:
            self.add(part.order, replace(at, about=pod, title=str(pod)))
        if not pods:
            # there must be one, so nothing is optional
            self._in_order(leaves(part.order), self._group(at, "in order"))

    def _optional(self, part: Pattern, at: _Place, asked: Repeated | None = None) -> _Place:
        self.choices += 1
        at = self._gate(at, 0, 2, optional=True)
        if isinstance(part, Repeated):
            self._repeated(part, at, asked)
        elif isinstance(part, InOrder | AnyOrder):
            order = "in order" if isinstance(part, InOrder) else "in any order"
            self.add(part, replace(at, title=f"optional, {order}"))
        else:
            self.add(part, at)
        return at

    def _one_of(self, part: OneOf, at: _Place) -> None:
        events = _single(part)
        if events:
            self._slot(at, events[0], events[1:])
            return
        self.choices += 1
        at = self._group(at, "one of")
        places = [
            self._gate(at, option, len(part.patterns)) for option in range(len(part.patterns))
        ]
        for alternative, place in zip(part.patterns, places, strict=True):
            self.add(alternative, place)

    def _repeated(self, part: Repeated, at: _Place, asked: Repeated | None = None) -> None:
        self.groups += 1
        number = self.groups
        events = _single(part.pattern)
        if events:
            for index in range(part.at_least):
                self._slot(at, events[0], events[1:], Times(number, index, asked or part))
            return
        at = self._group(at, part.times)
        for index in range(part.at_least):
            first = len(self.slots)
            self.add(part.pattern, replace(at, title=f"time {index + 1}"))
            at = replace(at, after=at.after | frozenset(range(first, len(self.slots))))


def _single(part: Pattern) -> tuple[EventPattern, ...]:
    """The events of which one is all that it takes, so that one slot does; else none."""
    if isinstance(part, EventPattern):
        return (part,)
    if isinstance(part, OneOf):
        events = tuple(p for p in part.patterns if isinstance(p, EventPattern))
        if len(events) == len(part.patterns) and all(leaf.within is None for leaf in events):
            return events
    return ()
