"""Where in a text a field of an object was written, and how its path is read and shown.

The API server writes the path of a field in more than one way:
`spec.template.spec.containers[0].image` where a value is invalid,
`.spec.template.spec.containers[name="flask"].image` in server-side apply (the notation of
`structured-merge-diff`), and there a key with dots in it is not quoted:
`.metadata.annotations.example.com/a`. Only the object itself tells what is meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from seatrial.core.model import dig

__all__ = ["FieldPath", "Passage", "child", "steps_of", "written"]

#: keys of mappings, and indexes of lists
FieldPath: TypeAlias = "tuple[str | int, ...]"

_BRACKET = re.compile(r'\[((?:"(?:[^"\\]|\\.)*"|[^\]"])*)\]')
_SELECTED = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^,]*)')
_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")


def steps_of(text: str, obj: Any) -> FieldPath:
    """The path that `text` writes, as steps through `obj`; the field itself need not be there."""
    steps: list[str | int] = []
    rest = text.lstrip(".")
    while rest:
        bracket = _BRACKET.match(rest)
        if bracket:
            step, rest = _entry(bracket[1], obj), rest[bracket.end() :]
        else:
            step = _key(rest, obj)
            rest = rest[len(step) :]
        steps.append(step)
        obj = dig(obj, step)
        rest = rest.lstrip(".")
    return tuple(steps)


def _entry(inside: str, obj: Any) -> str | int:
    """What is in brackets: an index, a key, or what tells an entry of a list from the others."""
    if isinstance(obj, Mapping):
        return inside
    if inside.isdecimal():
        return int(inside)
    entries = obj if isinstance(obj, list) else []
    if inside.startswith("="):
        wanted = _value(inside[1:])
        found = [index for index, entry in enumerate(entries) if entry == wanted]
    else:
        keys = {name: _value(value) for name, value in _SELECTED.findall(inside)}
        # a key of the list may have a default (`protocol="TCP"`), and then nobody wrote it
        found = [
            index
            for index, entry in enumerate(entries)
            if keys
            and all(dig(entry, name, default=value) == value for name, value in keys.items())
        ]
    return found[0] if found else f"[{inside}]"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _key(rest: str, obj: Any) -> str:
    there = obj if isinstance(obj, Mapping) else {}
    fitting = [
        key for key in there if rest.startswith(key) and (rest[len(key) :] or ".")[0] in ".["
    ]
    if fitting:
        return str(max(fitting, key=len))
    # an opening bracket that nothing closes is no bracket
    return rest if rest.startswith("[") else re.split(r"[.\[]", rest, maxsplit=1)[0]


def written(path: FieldPath) -> str:
    """The path as Kubernetes writes it: `spec.containers[0].env`, `metadata.annotations[a.b/c]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.startswith("["):
            text += step
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step}]"
    return text


@dataclass(frozen=True)
class Passage:
    """The part of a text that one object was read from."""

    file: str
    """For a person: the file, or what made the text."""
    node: yaml.Node
    """The object as it was composed; every node knows its line."""
    lines: Sequence[str]
    """The whole text."""
    in_file: bool = True
    """False for a text that was fetched or rendered, so that nobody can look it up."""

    def line(self, path: FieldPath, obj: Any) -> tuple[int, bool]:
        """The line of a field, from 1, and whether the field is there itself.

        Of a field that is not there the line of the nearest one around it is given. `obj` is the
        object as it is by now: a list may have been changed, so an entry with a name is looked for
        by its name.
        """
        node, line = self.node, self.node.start_mark.line + 1
        for step in path:
            found = child(node, _written_at(node, step, obj))
            if found is None:
                return line, False
            line, node = found
            obj = dig(obj, step)
        return line, True

    def shown(self, line: int) -> str:
        """The line with its number, where it cannot be looked up in a file."""
        if self.in_file or not 0 < line <= len(self.lines):
            return ""
        return f"{line} | {self.lines[line - 1].rstrip()}"


def child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """Line and node of what stands under a key or index, or None where nothing does."""
    if isinstance(node, yaml.MappingNode):
        # what a merge key brought in comes first; what overrides it comes later, and counts
        for key, value in reversed(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        entry = node.value[step]
        return entry.start_mark.line + 1, entry
    return None


def _written_at(node: yaml.Node, step: str | int, obj: Any) -> str | int:
    """The index that an entry of a list has in the text, which differs after a patch."""
    name = dig(obj, step, "name")
    if not isinstance(step, int) or name is None or not isinstance(node, yaml.SequenceNode):
        return step
    named = [index for index, entry in enumerate(node.value) if _name(entry) == name]
    if not named:
        # the text has no such entry: one that is not there has no index either
        return len(node.value)
    return step if step in named else named[0]


def _name(entry: yaml.Node) -> Any:
    found = child(entry, "name")
    return found[1].value if found else None
