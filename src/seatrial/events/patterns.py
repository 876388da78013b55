"""What a test expects of the events: leaves that match one occurrence, and groups that order them.

    in_order(
        event("ScalingReplicaSet", on="Deployment/flask"),
        each_pod(
            "Scheduled", optional("Pulling"), "Pulled", "Created", "Started",
            of="Deployment/flask", within=30,
        ),
    )

A pattern is only a description; `seatrial.events.matching` says when it fits. Match on reasons:
the messages of Kubernetes change from release to release (`Created container: web` up to 1.34,
`Container created` from 1.35 on); `seatrial.events.wordings` knows the ones that did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seatrial.core.errors import ConfigurationError
from seatrial.events.parts import (
    AnyOrder,
    EachPod,
    EventPattern,
    Expectation,
    InOrder,
    Message,
    Never,
    OneOf,
    OptionalPattern,
    Pattern,
    Repeated,
    children,
    leaves,
    names,
    parts,
)
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
    "any_order",
    "each_pod",
    "event",
    "expectation",
    "in_order",
    "leaves",
    "names",
    "never",
    "one_of",
    "optional",
    "repeated",
]

EVENT_TYPES = ("Normal", "Warning")

MOST_REPEATED = 1000
"""What `at_least` may be: each time is a variable of the matcher's search."""


def event(
    reason: str,
    on: str | None = None,
    *,
    type: str | None = None,  # noqa: A002 - the field's name in Kubernetes
    message: Message | None = None,
    count: int | None = None,
    source: str | None = None,
    container: str | None = None,
    within: float | None = None,
) -> EventPattern:
    """One occurrence with this reason.

    `on` names the object: `Deployment/flask`, `Pod/flask-*` (a glob), or `Pod` for any Pod.
    `message` is a substring, a compiled regular expression to search for, or a function of the
    message, such as those of `seatrial.events.wordings`; what client-go puts before the message of
    merged events, `(combined from similar events): `, is left out for it. `count` is the least
    count that will do, `source` the component that reported it, `container` the container it is
    about. `within` is how many seconds after the opening of the timeline it has to be at the
    latest; what was listed is stamped in whole seconds.

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
    if isinstance(message, Wording) and message.container:
        if container not in (None, message.container):
            raise ConfigurationError(
                f"event {reason}: {message} is not about container {container!r}"
            )
        container = message.container
    return EventPattern(
        reason=reason,
        on=_checked(on, f"event {reason}"),
        type=type or "",
        message=message,
        count=count or 1,
        source=source or "",
        container=container or "",
        within=_seconds(f"event {reason}", within),
    )


def in_order(
    *patterns: Pattern | str, on: str | None = None, within: float | None = None
) -> InOrder:
    """All of these, every leaf of one after every leaf of those before it.

    `on` is the object of each leaf that names none. A bare string stands for `event(string)`.
    `within` is how many seconds there may be from the first occurrence to the last; of listed ones
    only whole seconds are known, so that it may be up to one second off for each end.
    """
    return InOrder(
        _children("in_order", patterns, _checked(on, "in_order")), _seconds("in_order", within)
    )


def any_order(
    *patterns: Pattern | str, on: str | None = None, within: float | None = None
) -> AnyOrder:
    """All of these, in whatever order, each leaf matched by an occurrence of its own.

    `on` is the object of each leaf that names none. A bare string stands for `event(string)`.
    `within` is that of `in_order`.
    """
    return AnyOrder(
        _children("any_order", patterns, _checked(on, "any_order")), _seconds("any_order", within)
    )


def each_pod(
    *patterns: Pattern | str, of: str | None = None, within: float | None = None
) -> EachPod:
    """For every Pod that an event was seen of, these in order among that Pod's own events.

    `of="Deployment/flask"` leaves out the Pods whose name does not start with `flask-`. There must
    be one Pod at least. Only Pods that were seen count: a second replica that no event has told of
    yet is not waited for, so wait for readiness first where that matters. `within` is that of
    `in_order`, for each Pod by itself.
    """
    _, _, owner = _checked(of, "each_pod").partition("/")
    if of and not owner:
        raise ConfigurationError(
            f"each_pod: of={of!r} names no object", hint="such as of='Deployment/flask'"
        )
    pods = f"Pod/{owner}-*" if owner else "Pod"
    order = InOrder(_children("each_pod", patterns, pods), _seconds("each_pod", within))
    for leaf in leaves(order):
        if leaf.on.partition("/")[0] != "Pod":
            raise ConfigurationError(
                f"each_pod: {leaf.reason} is expected on {leaf.on}, which is no Pod",
                hint="put it beside each_pod: in_order(event(…), each_pod(…))",
            )
    return EachPod(order, pods, of or "")


def optional(pattern: Pattern | str) -> OptionalPattern:
    """It may be there or not; but if it occurred, it must stand in its place.

    It may be left out only where it did not occur: where no occurrences are left for its leaves,
    once every other leaf of the pattern has one. So `in_order("Scheduled", optional("Pulling"),
    "Pulled")` fits with a Pulling between the two and without any, but not if every Pulling came
    before Scheduled or after Pulled. Of a group, all leaves count together: where a single one of
    them did not occur, the group did not.
    """
    return OptionalPattern(_within_choice("optional", pattern))


def repeated(pattern: Pattern | str, *, at_least: int = 1, at_most: int | None = None) -> Repeated:
    """It `at_least` times, one after the other, in its place; and not more than `at_most` times.

    Of a single event, what an Event object counts is counted: a delivery whose count rose from 1 to
    4 is three times. (The scheduler counts a series in memory and writes it every six minutes only,
    from the second time on.) Of a group, each delivery is one time.

    `at_most` counts every occurrence, wherever it stands, and has to be proven as `never` has: the
    whole `within` of `expect` is waited for, and a gap in the stream refuses it. It is for single
    events, or one_of several. With `at_least=0` it may be missing, as in `optional`.
    """
    inner = _within_choice("repeated", pattern)
    if at_least < 0 or at_least > MOST_REPEATED:
        raise ConfigurationError(
            f"repeated: at_least must be from 0 to {MOST_REPEATED}, not {at_least}"
        )
    if at_most is None:
        if at_least == 0:
            raise ConfigurationError(
                "repeated: at_least=0 without at_most asks for nothing", hint="use optional(…)"
            )
    elif at_most < max(at_least, 1):
        raise ConfigurationError(
            f"repeated: at_most must be {max(at_least, 1)} or more, not {at_most}",
            hint="what must not be at all is never(…)" if at_most == 0 else "",
        )
    elif not _is_single(inner):
        raise ConfigurationError(
            "repeated: at_most is for single events",
            hint="bound one of them: repeated('BackOff', at_most=2)",
        )
    if any(leaf.count > 1 for leaf in leaves(inner)):
        raise ConfigurationError(
            "repeated: count= asks how often one Event object has counted, which repeated does too",
            hint="leave it out: repeated('BackOff', at_least=3)",
        )
    return Repeated(inner, at_least, at_most)


def one_of(*patterns: Pattern | str, on: str | None = None) -> OneOf:
    """One of these, whichever fits.

    `on` is the object of each leaf that names none. A bare string stands for `event(string)`.
    """
    alternatives = _children("one_of", patterns, _checked(on, "one_of"))
    if len(alternatives) == 1:
        raise ConfigurationError("one_of() needs two patterns at least")
    for alternative in alternatives:
        _refuse_absent("one_of", alternative)
        if any(isinstance(part, Repeated) and part.at_most for part in parts(alternative)):
            raise ConfigurationError(
                "one_of: at_most cannot stand inside it, as it holds of all occurrences",
                hint="give it to expect() beside the others: "
                "expect(one_of(…), repeated(…, at_least=0, at_most=2))",
            )
    return OneOf(alternatives)


def never(pattern: Pattern | str) -> Never:
    """No occurrence matches a leaf of this pattern, whatever the order of its leaves.

    With `within`, the whole of that time is waited for. It cannot be proven where the stream of
    events has a gap.
    """
    inner = _pattern("never", pattern)
    for part in parts(inner):
        if isinstance(part, OptionalPattern):
            raise ConfigurationError(
                "never: what is optional cannot be forbidden", hint="leave optional(…) out"
            )
        if isinstance(part, Repeated):
            raise ConfigurationError(
                "never: forbids the first occurrence already",
                hint="to bound how often, use repeated('BackOff', at_least=0, at_most=2)",
            )
        if not isinstance(part, EachPod | OneOf) and part.within is not None:
            raise ConfigurationError(
                "never: forbids at any time, so within= cannot stand inside it",
                hint="expect(never(…), within=30) watches for that long",
            )
    return Never(inner)


def expectation(thing: Expectation | str) -> Expectation:
    """`thing` as a pattern; a bare string stands for `event(string)`.

    Raises `ConfigurationError` if it is no pattern.
    """
    if isinstance(thing, Never):
        return thing
    if isinstance(thing, OptionalPattern):
        raise ConfigurationError(
            "expect: optional(…) by itself asks for nothing",
            hint="put it where it would have to stand: in_order(…, optional(…), …)",
        )
    return _pattern("expect", thing)


def _children(
    where: str, patterns: Sequence[Pattern | str], default_on: str
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
    if not isinstance(thing, Pattern):
        raise ConfigurationError(
            f"{where}: {thing!r} is no event pattern",
            hint="use event(…), in_order(…), any_order(…), each_pod(…), optional(…), repeated(…), "
            "one_of(…) or a reason as a string",
        )
    if where == "each_pod" and any(isinstance(part, EachPod) for part in parts(thing)):
        raise ConfigurationError("each_pod: cannot stand inside another each_pod")
    return thing


def _within_choice(where: str, thing: Pattern | str) -> Pattern:
    """What optional() and repeated() are about: it must be able to occur, and to be told apart."""
    inner = _pattern(where, thing)
    _refuse_absent(where, inner)
    for part in parts(inner):
        if isinstance(part, EachPod):
            raise ConfigurationError(
                f"{where}: each_pod cannot stand inside it",
                hint=f"put it into each_pod: each_pod(…, {where}(…))",
            )
        if isinstance(part, Repeated) and where == "repeated":
            raise ConfigurationError("repeated: cannot stand inside another repeated")
    return inner


def _refuse_absent(where: str, pattern: Pattern) -> None:
    if _may_be_absent(pattern):
        raise ConfigurationError(
            f"{where}: what stands inside it may itself be missing, so that nothing is asked for",
            hint=f"leave optional(…) out, or put an event beside it that must be there: "
            f"{where}(in_order('A', optional('B')))",
        )


def _may_be_absent(pattern: Pattern) -> bool:
    if isinstance(pattern, OptionalPattern):
        return True
    if isinstance(pattern, Repeated):
        return pattern.at_least == 0
    inner = children(pattern)
    return bool(inner) and all(_may_be_absent(child) for child in inner)


def _is_single(pattern: Pattern) -> bool:
    """Is it matched by one occurrence: an event, or one of several?"""
    return isinstance(pattern, EventPattern) or (
        isinstance(pattern, OneOf) and all(isinstance(p, EventPattern) for p in pattern.patterns)
    )


def _with_default(pattern: Pattern, on: str) -> Pattern:
    # each_pod has given its leaves an object already
    if not on or isinstance(pattern, EachPod):
        return pattern
    if isinstance(pattern, EventPattern):
        return pattern if pattern.on else replace(pattern, on=on)
    if isinstance(pattern, OptionalPattern | Repeated):
        return replace(pattern, pattern=_with_default(pattern.pattern, on))
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


def _seconds(where: str, within: float | None) -> float | None:
    if within is not None and not within > 0:
        raise ConfigurationError(
            f"{where}: within must be more than 0 seconds, not {within:g}",
            hint="how long to wait for events is said to expect(…, within=30)",
        )
    return within
