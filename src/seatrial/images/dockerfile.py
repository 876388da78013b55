"""Reads from a Dockerfile what has to be known before it is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["base", "declares", "images"]

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_SCRATCH = "scratch"


def images(text: str, build_args: Mapping[str, str] | None = None, target: str = "") -> list[str]:
    """The images that a build takes something from, each once, up to stage `target` if given.

    That is what its stages start from, and what they copy or mount from beside that. Stages of the
    file itself and `scratch` are left out, and so is a name that cannot be told because a variable
    in it has no value.
    """
    found: dict[str, None] = {}
    before: set[str] = set()
    for number, stage in enumerate(_stages(text, build_args or {}, target)):
        for image in (stage.base, *stage.sources):
            if image and image.lower() not in before | {_SCRATCH}:
                found[image] = None
        before |= {str(number), stage.name}
    return list(found)


def base(text: str, build_args: Mapping[str, str] | None = None, target: str = "") -> str:
    """The image that the last stage starts from, or stage `target`, whatever stages are between.

    Empty if that is `scratch`, or cannot be told.
    """
    bases: dict[str, str] = {}
    last = ""
    for number, stage in enumerate(_stages(text, build_args or {}, target)):
        last = bases.get(stage.base.lower(), stage.base)
        bases.update({str(number): last, stage.name or str(number): last})
    return "" if last == _SCRATCH else last


def declares(text: str, name: str) -> bool:
    """Whether the Dockerfile takes a build argument of that name."""
    return any(
        instruction == "ARG" and any(word.partition("=")[0] == name for word in words)
        for instruction, words in _instructions(text)
    )


@dataclass
class _Stage:
    name: str
    """In lower case, as Docker compares them; empty if it has none."""
    base: str
    """Empty if it cannot be told."""
    sources: list[str] = field(default_factory=list)
    """What it copies and mounts from."""


def _stages(text: str, given: Mapping[str, str], target: str) -> list[_Stage]:
    """The stages up to `target`, which needs none after it; all if it is not among them."""
    variables: dict[str, str] = {}
    stages: list[_Stage] = []
    for instruction, words in _instructions(text):
        # only an ARG before the first FROM counts for one; later ones are inside a stage
        if instruction == "ARG" and not stages:
            variables.update(_values(words, given, variables))
        elif instruction == "FROM":
            if stages and target and stages[-1].name == target.lower():
                break
            image, *rest = [word for word in words if not word.startswith("--")] or [""]
            name = rest[1].lower() if len(rest) == 2 and rest[0].upper() == "AS" else ""
            stages.append(_Stage(name, _expanded(image, variables)))
        elif stages:
            # variables are of the stage here, and Docker expands none in these
            stages[-1].sources += [each for each in _sources(words) if "$" not in each]
    return stages


def _values(
    words: list[str], given: Mapping[str, str], variables: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for word in words:
        name, has_default, default = word.partition("=")
        if name in given:
            yield name, given[name]
        elif has_default:
            yield name, _expanded(default.strip("'\""), variables)


def _sources(words: list[str]) -> Iterator[str]:
    """`COPY --from=image`, and `RUN --mount=type=bind,from=image,…`."""
    for word in words:
        if not word.startswith("--"):
            return
        option, _, value = word.partition("=")
        if option == "--from":
            yield value
        elif option == "--mount":
            yield from (e[5:] for e in value.split(",") if e.startswith("from="))


def _instructions(text: str) -> Iterator[tuple[str, list[str]]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).splitlines():
        instruction, *words = line.split() or [""]
        yield instruction.upper(), words


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    """`word` with its variables replaced; empty if one of them has no value."""
    unknown = False

    def value(match: re.Match[str]) -> str:
        nonlocal unknown
        known = variables.get(match[1] or match[2]) or match[3]
        unknown = unknown or not known
        return known or ""

    expanded = _VARIABLE.sub(value, word)
    return "" if unknown or "$" in expanded else expanded
