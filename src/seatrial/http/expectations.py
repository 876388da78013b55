"""What an answer is expected to be, and how another one differs from it. Nothing is sent here."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

__all__ = ["ANY_JSON", "Expected", "Text", "json_differences"]

#: characters of a value that are shown
SHOWN_VALUE = 80
#: lines of a body that are shown, and lines of it that are searched for a similar one
SHOWN_LINES, SEARCHED_LINES = 12, 1000
#: how similar a line has to be to be shown, from 0 to 1
SIMILAR = 0.5

#: a text that is to be there as it is, or a pattern that is searched for
Text = str | re.Pattern[str]


class _AnyJson:
    def __repr__(self) -> str:
        return "ANY_JSON"


#: nothing is expected of the body as JSON; None would stand for JSON's null
ANY_JSON = _AnyJson()


@dataclass(frozen=True)
class Expected:
    """What an answer has to be; what is left out may be anything."""

    status: frozenset[int] = frozenset()
    """One of these; empty for any."""
    contains: tuple[Text, ...] = ()
    json: Any = ANY_JSON
    header: Mapping[str, Text | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        status: int | Collection[int] | None,
        contains: Text | Sequence[Text],
        json: Any,
        header: Mapping[str, Text | None] | None,
    ) -> Expected:
        """Take what a test writes: one or several, of each."""
        if status is None:
            statuses: Collection[int] = ()
        else:
            statuses = (status,) if isinstance(status, int) else status
        texts = (contains,) if isinstance(contains, str | re.Pattern) else tuple(contains)
        return cls(frozenset(statuses), texts, json, dict(header or {}))

    def differences(self, answer: requests.Response) -> list[str]:
        """One line for each thing that is not as expected; none if all is."""
        return [
            *self._status(answer),
            *self._header(answer),
            *self._contains(answer),
            *self._json(answer),
        ]

    def _status(self, answer: requests.Response) -> Iterator[str]:
        if self.status and answer.status_code not in self.status:
            wanted = " or ".join(map(str, sorted(self.status)))
            is_ = f"{answer.status_code} {answer.reason}".rstrip()
            yield f"status is {is_}, not {wanted}"

    def _header(self, answer: requests.Response) -> Iterator[str]:
        for name, wanted in self.header.items():
            seen = answer.headers.get(name)
            if wanted is None:
                if seen is not None:
                    yield f"header {name} is {_shown(seen)}, but should not be there"
            elif seen is None:
                yield f"header {name} is not there, expected {_text(wanted)}"
            elif isinstance(wanted, re.Pattern):
                if not wanted.search(seen):
                    yield f"header {name} is {_shown(seen)}, which {_text(wanted)} does not match"
            elif seen != wanted:
                yield f"header {name} is {_shown(seen)}, not {_shown(wanted)}"

    def _contains(self, answer: requests.Response) -> Iterator[str]:
        for wanted in self.contains:
            if isinstance(wanted, re.Pattern):
                if not wanted.search(answer.text):
                    yield f"body has no match of {_text(wanted)}"
            elif wanted not in answer.text:
                yield f"body does not contain {_shown(wanted)}{_similar(wanted, answer.text)}"

    def _json(self, answer: requests.Response) -> Iterator[str]:
        if self.json is ANY_JSON:
            return
        try:
            seen = answer.json()
        except requests.exceptions.JSONDecodeError as error:
            yield f"body is not JSON: {error}"
            return
        yield from (f"body: {line}" for line in json_differences(self.json, seen))


def json_differences(expected: Any, seen: Any, path: str = "$") -> Iterator[str]:
    """Where `seen` is not what `expected` says of it, each with its path, as `$.items[0].name`.

    An object may have more keys than are expected; a list has the very items.
    """
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        for key, value in expected.items():
            if key not in seen:
                near = difflib.get_close_matches(str(key), map(str, seen), n=1)
                hint = f"; there is {_shown(near[0])}" if near else ""
                yield f"{path}.{key} is not there, expected {_json(value)}{hint}"
            else:
                yield from json_differences(value, seen[key], f"{path}.{key}")
    elif isinstance(expected, list | tuple) and isinstance(seen, list):
        if len(expected) != len(seen):
            yield f"{path} has {len(seen)} items, not {len(expected)}: {_json(seen)}"
        for number, (one, other) in enumerate(zip(expected, seen, strict=False)):
            yield from json_differences(one, other, f"{path}[{number}]")
    # True is equal to 1 in Python, and not in JSON
    elif expected != seen or isinstance(expected, bool) is not isinstance(seen, bool):
        yield f"{path} is {_json(seen)}, not {_json(expected)}"


def body_lines(answer: requests.Response) -> list[str]:
    """The beginning of an answer's body, for a person."""
    lines = [_shortened(line.rstrip(), 98) for line in answer.text.splitlines() if line.strip()]
    if len(lines) > SHOWN_LINES:
        lines[SHOWN_LINES:] = [f"… {len(lines) - SHOWN_LINES} more lines …"]
    return lines or ["(no text)"]


def _similar(wanted: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines()[:SEARCHED_LINES] if line.strip()]
    near = difflib.get_close_matches(wanted, lines, n=1, cutoff=SIMILAR)
    return f"; the line most like it is {_shown(near[0])}" if near else ""


def _text(wanted: Text) -> str:
    return f"/{wanted.pattern}/" if isinstance(wanted, re.Pattern) else _shown(wanted)


def _json(value: Any) -> str:
    try:
        return _shortened(json.dumps(value, ensure_ascii=False))
    except TypeError:
        return _shortened(repr(value))


def _shown(text: str) -> str:
    return _shortened(json.dumps(text, ensure_ascii=False))


def _shortened(text: str, limit: int = SHOWN_VALUE) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
