"""Reads from a Dockerfile what has to be known before it is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["bases", "declares"]

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


def bases(text: str, build_args: Mapping[str, str] | None = None, target: str = "") -> list[str]:
    """The images that the stages start from, each once, up to stage `target` if one is given.

    Stages of the file itself and `scratch` are left out, and so is a name that cannot be told
    because a variable in it has no value.
    """
    given = build_args or {}
    variables: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    for instruction, words in _instructions(text):
        # only an ARG before the first FROM counts for one; later ones are inside a stage
        if instruction == "ARG" and not stages and not found:
            for word in words:
                name, has_default, default = word.partition("=")
                if name in given:
                    variables[name] = given[name]
                elif has_default:
                    variables[name] = _expanded(default.strip("'\""), variables) or ""
        elif instruction == "FROM":
            image, *rest = [word for word in words if not word.startswith("--")] or [""]
            base = _expanded(image, variables)
            name = rest[1].lower() if len(rest) == 2 and rest[0].upper() == "AS" else ""
            if base and base.lower() not in stages | {"scratch"} and base not in found:
                found.append(base)
            stages.add(name or f"stage {len(stages)}")
            if target and name == target.lower():
                break
    return found


def declares(text: str, name: str) -> bool:
    """Whether the Dockerfile takes a build argument of that name."""
    return any(
        instruction == "ARG" and any(word.partition("=")[0] == name for word in words)
        for instruction, words in _instructions(text)
    )


def _instructions(text: str) -> Iterator[tuple[str, list[str]]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).splitlines():
        instruction, *words = line.split() or [""]
        yield instruction.upper(), words


def _expanded(word: str, variables: Mapping[str, str]) -> str | None:
    """`word` with its variables replaced; None if one of them has no value."""
    unknown = False

    def value(match: re.Match[str]) -> str:
        nonlocal unknown
        known = variables.get(match[1] or match[2]) or match[3]
        unknown = unknown or not known
        return known or ""

    expanded = _VARIABLE.sub(value, word)
    return None if unknown or "$" in expanded else expanded
