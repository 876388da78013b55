"""A recording as lines for a terminal: what it is of, its events, what the test asked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import timezone
from typing import Any

from seatrial.core.recording import Recording
from seatrial.core.recording_file import Asked

__all__ = ["asked_lines", "header_lines", "pattern_words", "question_words"]

WIDTH = 100

_FUNCTIONS = {
    "EventPattern": "event",
    "InOrder": "in_order",
    "AnyOrder": "any_order",
    "EachPod": "each_pod",
    "OptionalPattern": "optional",
    "Repeated": "repeated",
    "OneOf": "one_of",
    "Never": "never",
    "Budget": "budget",
}


def header_lines(recording: Recording) -> Sequence[str]:
    """Of which test it is, by what, when, and whether it is whole."""
    header, contents = recording.header, recording.contents
    wall = header.wall.astimezone(timezone.utc)
    lines = [
        f"test        {header.test}",
        f"cluster     Kubernetes {header.kubernetes}, namespace {header.namespace}",
        f"recorded    {wall:%Y-%m-%d %H:%M:%S} UTC by seatrial {header.seatrial}: "
        f"{len(contents.records)} records in {recording.end - header.started:.1f} s",
    ]
    for phase in contents.phases:
        if phase["outcome"] != "passed":
            message = str(phase.get("message", "")).partition("\n")[0]
            lines.append(_cut(f"{phase['when']:10}  {phase['outcome']}: {message}"))
    if contents.ended is None:
        lines.append("not whole   it broke off before the test had ended, as when a run is killed")
    if contents.cut:
        lines.append(f"not whole   line {contents.cut} is cut off, and left out")
    return lines


def asked_lines(
    number: int,
    asked: Asked,
    *,
    began: float,
    outcome: str,
    cause: str,
    text: str,
    seconds: float,
    same: bool | None,
) -> Iterator[str]:
    """One wait or expectation: what was asked, the answer of the day, and that of the replay.

    `began` is when the recording began; the others are the replay's.
    """
    words = f"{number}. {question_words(asked)}"
    yield from textwrap.wrap(words, WIDTH, subsequent_indent="   ", break_on_hyphens=False)
    yield f"   asked      {asked.started - began:.2f} s after the recording began"
    # two that differ have to be read to their ends
    shown = _whole if same is False else _cut
    if asked.ended is None:
        yield "   on the day no answer, as the recording broke off"
    else:
        day = _answer(asked.outcome, asked.cause, asked.ended - asked.started)
        yield shown(f"   on the day {day}")
    if not outcome:
        yield _cut(f"   replayed   not compared: {cause}")
    else:
        mark = {True: "same: ", False: "DIFFERS: ", None: ""}[same]
        yield shown(f"   replayed   {mark}{_answer(outcome, cause, seconds)}")
    if text:
        yield from ("", *_indented(text))
    # of what cannot be asked again, and of what differs, what was written on the day
    if asked.text and (not outcome or same is False):
        yield from ("", *(["   on the day:"] if text else []), *_indented(asked.text))


def _indented(text: str) -> Iterator[str]:
    return (f"   {line}".rstrip() for line in text.splitlines())


def _answer(outcome: str, cause: str, seconds: float) -> str:
    return f"{outcome} after {seconds:.2f} s" + (f": {cause}" if cause else "")


def _whole(line: str) -> str:
    return line.rstrip(": ")


def _cut(line: str) -> str:
    line = _whole(line)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def question_words(asked: Asked) -> str:
    """A question as it might be written in a test."""
    question = asked.question
    if asked.kind == "expect":
        words = [pattern_words(each) for each in question["patterns"]]
        if question["within"]:
            words.append(f"within={question['within']:g}")
        return f"expect({', '.join(words)})"
    words = [repr(question["ref"])] if question["ref"] else []
    for name in ("timeout", "holds_for", "graces", "expect_restarts"):
        value = question[name]
        if value or (name == "holds_for" and value is not None):
            words.append(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}")
    return f"wait_ready({', '.join(words)}) for {', '.join(_refs(question['condition']))}"


def _refs(condition: Mapping[str, Any]) -> Iterator[str]:
    if condition["is"] == "ready":
        yield f"{condition['kind']}/{condition['name']}"
    elif condition["is"] == "applied":
        yield condition["description"].removesuffix(" to be there")
    else:
        for each in condition.get("conditions") or [condition["condition"]]:
            yield from _refs(each)


def pattern_words(described: Any) -> str:
    """A described pattern (`seatrial.harness.descriptions`) as it might be written in a test."""
    if isinstance(described, list):
        return ", ".join(pattern_words(each) for each in described)
    if not isinstance(described, Mapping):
        return repr(described)
    kind = str(described.get("is"))
    if kind in ("Wording", "function"):
        return str(described["name"])
    if kind == "regex":
        return f"re.compile({described['pattern']!r})"
    if kind == "EventPattern" and set(described) == {"is", "reason"}:
        return repr(described["reason"])
    return _sequence(described) if kind == "NamedSequence" else _call(kind, described)


def _sequence(described: Mapping[str, Any]) -> str:
    name, ref = described["name"], described["on"]
    return f"{name}.of({ref!r})" if "/" in ref else str(name)


def _call(kind: str, described: Mapping[str, Any]) -> str:
    words = []
    for name, value in described.items():
        if name in ("patterns", "pattern", "reason", "start", "end"):
            words.append(pattern_words(value))
        elif name == "order":
            words.append(pattern_words(value["patterns"]))
        elif name == "limits":
            words += [f"{limit['name']}={limit['seconds']:g}" for limit in value]
        elif name not in ("is", "pods") and value not in (None, ""):
            words.append(f"{name}={pattern_words(value)}")
    return f"{_FUNCTIONS.get(kind, kind)}({', '.join(words)})"
