"""The errors that tell a person how the events that were seen differ from what was expected.

The first line names the first point of disagreement. Below it stand the expected pattern beside
what was seen of it, an arrow at that point, and then the events themselves.
"""

from __future__ import annotations

from seatrial.core.errors import EventMismatchError
from seatrial.events.findings import (
    Finding,
    Findings,
    Slowness,
    Story,
    object_named,
    of_other,
    shorten,
    times,
)
from seatrial.events.layout import Slot, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.parts import Expectation, Never
from seatrial.events.table import Told, clip, events, gap, table, violations

__all__ = ["Story", "forbidden", "mismatch", "unprovable"]


def mismatch(story: Story) -> EventMismatchError:
    """The error for patterns that do not fit; one of them at least must not."""
    told = _told(story)
    for one in told:
        if isinstance(one, Findings) and one.wrong:
            cause = _cause(story, one, one.wrong)
            return _error(story, told, one, one.wrong.number, cause)
        if isinstance(one, Findings) and one.slow:
            return _error(story, told, one, one.slow.group, _too_slow(one.slow))
    raise AssertionError("there is a mismatch, but nothing to tell of it")  # pragma: no cover


def forbidden(story: Story, expected: Expectation) -> EventMismatchError | None:
    """The error for an occurrence that must not be, or one too many, if there is one."""
    if isinstance(expected, Never):
        return next(
            (_unwanted(story, expected, *found) for found in violations(story, expected)), None
        )
    for number, slot in enumerate(slots_of(expected, story.occurrences)):
        if story.matcher.exceeded(slot):
            told = _told(story)
            culprit = told[story.expectations.index(expected)]
            return _error(story, told, culprit, number, _too_often(story, slot))
    return None


def unprovable(story: Story, expected: Expectation) -> EventMismatchError:
    """The error for an absence that a gap keeps from being proven."""
    told = _told(story)
    culprit = told[story.expectations.index(expected)]
    if isinstance(expected, Never):
        slots = list(slots_of(expected.pattern, story.occurrences))
        about: object = slots[0]
        what = "no " + " or ".join(dict.fromkeys(slot.reason for slot in slots))
    else:
        about, slot = next(
            (number, slot)
            for number, slot in enumerate(slots_of(expected, story.occurrences))
            if bounded(slot)
        )
        slots = [slot]
        what = _asked(slot)
    on = {slot.on for slot in slots}
    where = f" on {object_named(on.pop(), 40)}" if len(on) == 1 and on != {""} else ""
    return _error(
        story,
        told,
        culprit,
        about,
        f"expected {what}{where}, which cannot be proven: {gap(story)}",
        hint="events may have been lost there; run the test again",
    )


def bounded(slot: Slot) -> bool:
    """Is it said how often it may occur at the most?"""
    return slot.times is not None and slot.times.asked.at_most is not None


def _told(story: Story) -> list[Told]:
    return [
        expected if isinstance(expected, Never) else Findings(story, expected)
        for expected in story.expectations
    ]


def _error(
    story: Story, told: list[Told], culprit: Told, about: object, cause: str, *, hint: str = ""
) -> EventMismatchError:
    lines = [*table(story, told, culprit, about), ""]
    if story.gaps:
        lines += [clip(f"{gap(story)}: events may be missing", 98), ""]
    return EventMismatchError(
        clip(cause, 100), details="\n".join([*lines, *events(story)]), hint=hint
    )


# ---- the first line


def _unwanted(story: Story, pattern: Never, slot: Slot, seen: Occurrence) -> EventMismatchError:
    on = f" on {object_named(slot.on, 40)}" if slot.on else ""
    cause = f"expected no {slot.reason}{on}, but it was seen {_when_and_where(story, slot, seen)}"
    return _error(story, _told(story), pattern, slot, cause)


def _too_often(story: Story, slot: Slot) -> str:
    on = f" on {object_named(slot.on, 40)}" if slot.on else ""
    last = story.occurrences[story.matcher.candidates(slot)[-1]]
    often = times(story.matcher.occurred(slot))
    where = _when_and_where(story, slot, last)
    return f"expected {_asked(slot)}{on}, but it was seen {often}, last {where}"


def _when_and_where(story: Story, slot: Slot, seen: Occurrence) -> str:
    when = "in the list before the watch" if seen.listed else f"at {story.at(seen.received)}"
    about = "" if slot.on == str(seen.object) else f" on {shorten(str(seen.object), 40)}"
    return f"{when}{about}: {seen.message}"


def _too_slow(slow: Slowness) -> str:
    first, last = slow.first.slot, slow.last.slot
    on = f"{object_named(last.on, 30)}: " if last.on else ""
    return (
        f"expected {on}{last.reason} at most {slow.group.within:g} s after "
        f"{first.reason}{of_other(first, last)}, but it took {slow.took:.2f} s"
    )


def _cause(story: Story, findings: Findings, found: Finding) -> str:
    slot = found.slot
    problem = found.problem
    alternatives = findings.alternatives(found.number)
    asked = _asked(slot)
    if alternatives:
        asked = "one of " + ", ".join(dict.fromkeys(other.reason for other in alternatives))
    if slot.gates and slot.gates[-1].optional:
        asked += ", if at all,"
    if story.within and problem.startswith(("was not seen", "was seen only")):
        problem += f" within {story.within:g} s"

    def subject(width: int) -> str:
        return f"{object_named(slot.on, width)}: " if slot.on else ""

    earlier = [number for number in slot.after if not findings.all[number].aside]
    # a time that counts from the opening would read as if it counted from the event before
    if earlier and slot.leaf.within is None:
        before = findings.slots[max(earlier)]
        after = f"{before.reason}{of_other(before, slot)}"
        cause = f"expected {subject(30)}{asked} after {after}, but {slot.reason} {problem}"
        # what went wrong stands at the end, and matters more than what it should have come after
        if len(cause) <= 100:
            return cause
    it = slot.reason if alternatives else "it"
    return f"expected {subject(20)}{asked}, but {it} {problem}"


def _asked(slot: Slot) -> str:
    """What is expected, with how often and until when."""
    if slot.times and slot.times.asked.times != "once or more":
        return f"{slot.reason} {slot.times.asked.times}"
    if slot.leaf.within is not None:
        return f"{slot.reason} in the first {slot.leaf.within:g} s"
    return slot.reason
