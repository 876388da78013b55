"""What a test expects of the events: leaves that match one occurrence, and groups that order them.

    in_order(
        event("ScalingReplicaSet", on="Deployment/flask"),
        each_pod("Scheduled", "Pulled", "Created", "Started", of="Deployment/flask"),
    )

A pattern is only a description; `seatrial.events.matching` says when it fits. Match on reasons:
the messages of Kubernetes change from release to release (`Created container: web` up to 1.34,
`Container created` from 1.35 on).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef
from seatrial.events.occurrence import Occurrence

__all__ = [
    "AnyOrder",
    "EachPod",
    "EventPattern",
    "Expectation",
    "InOrder",
    "Message",
    "Never",
    "Pattern",
    "any_order",
    "each_pod",
    "event",
    "in_order",
    "never",
]

Message: TypeAlias = "str | re.Pattern[str] | Callable[[str], bool]"

EVENT_TYPES = ("Normal", "Warning")


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

    def differences(self, seen: Occurrence) -> Iterator[str]:
        """Why `seen` is not matched, one reason at a time; nothing if it is."""
        if seen.reason != self.reason:
            yield f"reason is {seen.reason}"
        if self.on and not names(self.on, seen.object):
            yield f"object is {seen.object}"
        if self.type and seen.type != self.type:
            yield f"type is {seen.type}, not {self.type}"
        if self.message is not None and not _says(self.message, seen.message):
            yield f"message is {seen.message!r}"
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
        elif self.message is not None:
            parts.append(f"message by {getattr(self.message, '__name__', 'a function')}")
        parts.append(f"count >= {self.count}" if self.count > 1 else "")
        parts.append(f"source {self.source}" if self.source else "")
        parts.append(f"container {self.container}" if self.container else "")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class InOrder:
    """All of them, each one after the ones before it. Made by `in_order()`."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class AnyOrder:
    """All of them, in whatever order. Made by `any_order()`."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class EachPod:
    """For every Pod that is seen, all of them in order. Made by `each_pod()`."""

    order: InOrder
    pods: str
    """Which Pods, as in `EventPattern.on`."""
    of: str = ""

    @property
    def title(self) -> str:
        return f"each pod of {self.of}" if self.of else "each pod"


@dataclass(frozen=True)
class Never:
    """None of its leaves occurs. Made by `never()`."""

    pattern: Pattern


Pattern = EventPattern | InOrder | AnyOrder | EachPod
"""What can stand inside another pattern."""

Expectation = Pattern | Never
"""What `Timeline.expect` takes besides a bare reason."""


def event(
    reason: str,
    on: str | None = None,
    *,
    type: str | None = None,  # noqa: A002 - the field's name in Kubernetes
    message: Message | None = None,
    count: int | None = None,
    source: str | None = None,
    container: str | None = None,
) -> EventPattern:
    """One occurrence with this reason.

    `on` names the object: `Deployment/flask`, `Pod/flask-*` (a glob), or `Pod` for any Pod.
    `message` is a substring, a compiled regular expression to search for, or a function of the
    message. `count` is the least count that will do, `source` the component that reported it,
    `container` the container it is about.

    Raises `ConfigurationError` for what could never match, such as a type that does not exist.
    """
    if not reason:
        raise ConfigurationError("an event pattern needs a reason, such as 'Scheduled'")
    if type is not None and type not in EVENT_TYPES:
        raise ConfigurationError(
            f"event {reason}: there is no event type {type!r}",
            hint=f"Kubernetes knows {' and '.join(EVENT_TYPES)}",
        )
    if count is not None and count < 1:
        raise ConfigurationError(f"event {reason}: count must be 1 or more, not {count}")
    return EventPattern(
        reason=reason,
        on=_checked(on, f"event {reason}"),
        type=type or "",
        message=message,
        count=count or 1,
        source=source or "",
        container=container or "",
    )


def in_order(*patterns: Pattern | str, on: str | None = None) -> InOrder:
    """All of these, every leaf of one after every leaf of those before it.

    `on` is the object of each leaf that names none. A bare string stands for `event(string)`.
    """
    return InOrder(_children("in_order", patterns, _checked(on, "in_order")))


def any_order(*patterns: Pattern | str, on: str | None = None) -> AnyOrder:
    """All of these, in whatever order, each leaf matched by an occurrence of its own.

    `on` is the object of each leaf that names none. A bare string stands for `event(string)`.
    """
    return AnyOrder(_children("any_order", patterns, _checked(on, "any_order")))


def each_pod(*patterns: Pattern | str, of: str | None = None) -> EachPod:
    """For every Pod that an event was seen of, these in order among that Pod's own events.

    `of="Deployment/flask"` leaves out the Pods whose name does not start with `flask-`. There must
    be one Pod at least. Only Pods that were seen count: a second replica that no event has told of
    yet is not waited for, so wait for readiness first where that matters.
    """
    _, _, owner = _checked(of, "each_pod").partition("/")
    if of and not owner:
        raise ConfigurationError(
            f"each_pod: of={of!r} names no object", hint="such as of='Deployment/flask'"
        )
    pods = f"Pod/{owner}-*" if owner else "Pod"
    order = InOrder(_children("each_pod", patterns, pods))
    for leaf in leaves(order):
        if leaf.on.partition("/")[0] != "Pod":
            raise ConfigurationError(
                f"each_pod: {leaf.reason} is expected on {leaf.on}, which is no Pod",
                hint="put it beside each_pod: in_order(event(…), each_pod(…))",
            )
    return EachPod(order, pods, of or "")


def never(pattern: Pattern | str) -> Never:
    """No occurrence matches a leaf of this pattern, whatever the order of its leaves.

    With `within`, the whole of that time is waited for. It cannot be proven where the stream of
    events has a gap.
    """
    return Never(_pattern("never", pattern))


def leaves(pattern: Pattern) -> Iterator[EventPattern]:
    """Its leaves, in the order they are written."""
    if isinstance(pattern, EventPattern):
        yield pattern
    elif isinstance(pattern, EachPod):
        yield from leaves(pattern.order)
    else:
        for child in pattern.patterns:
            yield from leaves(child)


def names(on: str, ref: ObjectRef) -> bool:
    """Is `ref` the object, or one of those, that `on` names?"""
    kind, _, name = on.partition("/")
    return ref.kind == kind and (not name or fnmatch.fnmatchcase(ref.name, name))


def expectation(thing: Expectation | str) -> Expectation:
    """`thing` as a pattern; a bare string stands for `event(string)`.

    Raises `ConfigurationError` if it is no pattern.
    """
    return thing if isinstance(thing, Never) else _pattern("expect", thing)


def _children(
    where: str, patterns: tuple[Pattern | str, ...], default_on: str
) -> tuple[Pattern, ...]:
    if not patterns:
        raise ConfigurationError(f"{where}() needs at least one pattern")
    return tuple(_with_default(_pattern(where, pattern), default_on) for pattern in patterns)


def _pattern(where: str, thing: Pattern | str) -> Pattern:
    if isinstance(thing, str):
        return event(thing)
    if isinstance(thing, Never):  # a type checker refuses it as well
        raise ConfigurationError(
            f"{where}: never(…) cannot stand inside another pattern",
            hint="give it to expect() beside the others: expect(in_order(…), never(…))",
        )
    if where == "each_pod" and any(isinstance(part, EachPod) for part in _parts(thing)):
        raise ConfigurationError("each_pod: cannot stand inside another each_pod")
    if not isinstance(thing, EventPattern | InOrder | AnyOrder | EachPod):
        raise ConfigurationError(
            f"{where}: {thing!r} is no event pattern",
            hint="use event(…), in_order(…), any_order(…), each_pod(…) or a reason as a string",
        )
    return thing


def _parts(pattern: Pattern) -> Iterator[Pattern]:
    yield pattern
    if isinstance(pattern, InOrder | AnyOrder):
        for child in pattern.patterns:
            yield from _parts(child)


def _with_default(pattern: Pattern, on: str) -> Pattern:
    # each_pod has given its leaves an object already
    if not on or isinstance(pattern, EachPod):
        return pattern
    if isinstance(pattern, EventPattern):
        return pattern if pattern.on else replace(pattern, on=on)
    return replace(pattern, patterns=tuple(_with_default(p, on) for p in pattern.patterns))


def _checked(on: str | None, where: str) -> str:
    if on is None:
        return ""
    kind, slash, name = on.partition("/")
    if not kind[:1].isupper() or (slash and not name) or "/" in name:
        raise ConfigurationError(
            f"{where}: {on!r} names no object",
            hint="write the kind as in a manifest, and a name: 'Pod/flask-*', or the kind alone",
        )
    return on


def _says(wanted: Message, message: str) -> bool:
    if isinstance(wanted, str):
        return wanted in message
    if isinstance(wanted, re.Pattern):
        return wanted.search(message) is not None
    return wanted(message)
