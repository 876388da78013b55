"""What a pattern is made of: a leaf that matches one occurrence, and the groups it can stand in.

Only descriptions, compared by value. `seatrial.events.patterns` has the functions that make them
and refuse what makes no sense; `seatrial.events.matching` says when they fit.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence
from seatrial.events.wordings import Wording

__all__ = [
    "AnyOrder",
    "EachPod",
    "EventPattern",
    "Expectation",
    "InOrder",
    "Message",
    "Never",
    "OneOf",
    "OptionalPattern",
    "Pattern",
    "Repeated",
    "children",
    "leaves",
    "names",
    "parts",
]

Message: TypeAlias = "str | re.Pattern[str] | Callable[[str], bool]"


@dataclass(frozen=True)
class EventPattern:
    """A leaf: matches one occurrence. Made by `event()`."""

    reason: str
    on: str = ""
    """`Kind/name`, the name perhaps a glob; `Kind` for any of a kind; empty for any object."""
    type: str = ""
    message: Message | None = field(default=None, hash=False)
    count: int = 1
    """The least count that will do."""
    source: str = ""
    container: str = ""
    within: float | None = None
    """Seconds from the opening of the timeline until it must have been; see `matching`."""

    def differences(self, seen: Occurrence) -> Iterator[str]:
        """Why `seen` is not matched, one reason at a time; nothing if it is.

        Its time is left aside: what it is measured from is known to the matcher alone.
        """
        if seen.reason != self.reason:
            yield f"reason is {seen.reason}"
        if self.on and not names(self.on, seen.object):
            yield f"object is {seen.object}"
        if self.type and seen.type != self.type:
            yield f"type is {seen.type}, not {self.type}"
        if self.message is not None and not _says(self.message, seen.text):
            yield f"message is {seen.text!r}"
        if seen.count < self.count:
            yield f"count is {seen.count}, not {self.count} or more"
        if self.source and seen.source != self.source:
            yield f"source is {seen.source or 'unknown'}, not {self.source}"
        if self.container and seen.container != self.container:
            yield f"container is {seen.container or 'unknown'}, not {self.container}"

    def matches(self, seen: Occurrence) -> bool:
        return next(self.differences(seen), None) is None

    @property
    def conditions(self) -> str:
        """What it asks for besides reason and object, for a person: `Warning, count >= 3`."""
        parts = [self.type]
        if isinstance(self.message, str):
            parts.append(f"message {self.message!r}")
        elif isinstance(self.message, re.Pattern):
            parts.append(f"message /{self.message.pattern}/")
        elif isinstance(self.message, Wording):
            parts.append(f"message {self.message}")
        elif self.message is not None:
            parts.append(f"message by {getattr(self.message, '__name__', 'a function')}")
        parts.append(f"count >= {self.count}" if self.count > 1 else "")
        parts.append(f"source {self.source}" if self.source else "")
        said = isinstance(self.message, Wording) and self.message.container
        parts.append(f"container {self.container}" if self.container and not said else "")
        parts.append(f"in the first {self.within:g} s" if self.within is not None else "")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class InOrder:
    """All of them, each one after the ones before it. Made by `in_order()`."""

    patterns: tuple[Pattern, ...]
    within: float | None = None
    """Seconds from the first occurrence of the group to its last, at most."""


@dataclass(frozen=True)
class AnyOrder:
    """All of them, in whatever order. Made by `any_order()`."""

    patterns: tuple[Pattern, ...]
    within: float | None = None
    """Seconds from the first occurrence of the group to its last, at most."""


@dataclass(frozen=True)
class EachPod:
    """For every Pod that is seen, all of them in order. Made by `each_pod()`."""

    order: InOrder
    """Its `within` is that of each Pod for itself."""
    pods: str
    """Which Pods, as in `EventPattern.on`."""
    of: str = ""

    @property
    def title(self) -> str:
        return f"each pod of {self.of}" if self.of else "each pod"


@dataclass(frozen=True)
class OptionalPattern:
    """It in its place, or no occurrence of it. Made by `optional()`."""

    pattern: Pattern


@dataclass(frozen=True)
class Repeated:
    """It several times, one after the other. Made by `repeated()`."""

    pattern: Pattern
    at_least: int = 1
    at_most: int | None = None

    @property
    def times(self) -> str:
        """How often, for a person."""
        if self.at_most is None:
            return f"{_times(self.at_least)} or more"
        if self.at_least == self.at_most:
            return _times(self.at_least)
        if self.at_least == 0:
            return f"{_times(self.at_most)} at most"
        return f"{self.at_least} to {self.at_most} times"


@dataclass(frozen=True)
class OneOf:
    """One of these, whichever it is. Made by `one_of()`."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class Never:
    """None of its leaves occurs. Made by `never()`."""

    pattern: Pattern


Pattern = EventPattern | InOrder | AnyOrder | EachPod | OptionalPattern | Repeated | OneOf
"""What can stand inside another pattern."""

Expectation = Pattern | Never
"""What `Timeline.expect` takes besides a bare reason."""


def children(pattern: Pattern) -> tuple[Pattern, ...]:
    """The patterns that stand directly in this one, in the order they are written."""
    if isinstance(pattern, EventPattern):
        return ()
    if isinstance(pattern, EachPod):
        return (pattern.order,)
    if isinstance(pattern, OptionalPattern | Repeated):
        return (pattern.pattern,)
    return pattern.patterns


def parts(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern itself and all that stand in it."""
    yield pattern
    for child in children(pattern):
        yield from parts(child)


def leaves(pattern: Pattern) -> Iterator[EventPattern]:
    """Its leaves, in the order they are written."""
    return (part for part in parts(pattern) if isinstance(part, EventPattern))


def names(on: str, ref: ObjectRef) -> bool:
    """Is `ref` the object, or one of those, that `on` names?"""
    kind, _, name = on.partition("/")
    return ref.kind == kind and (not name or fnmatch.fnmatchcase(ref.name, name))


def _says(wanted: Message, text: str) -> bool:
    if isinstance(wanted, str):
        return wanted in text
    if isinstance(wanted, re.Pattern):
        return wanted.search(text) is not None
    return wanted(text)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
