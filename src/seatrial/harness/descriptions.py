"""Conditions and event patterns as JSON, and back: what a recording keeps of a test's questions.

`{"is": "InOrder", "patterns": [{"is": "EventPattern", "reason": "Scheduled"}, …]}`. Values that are
the default are left out. A ready-made sequence is kept by its name. A function cannot be kept: its
name is, and what needs it cannot be asked again.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef, Verdict
from seatrial.core.spelling import did_you_mean
from seatrial.events import Expectation
from seatrial.readiness import Condition, all_of, any_of, condition, ready

__all__ = ["condition_from", "describe", "describe_condition", "named_sequence", "pattern_from"]

#: where the classes are that a pattern may consist of
_MODULES = ("seatrial.events.parts", "seatrial.events.wordings", "seatrial.events.budgets")
_SEQUENCES = "seatrial.events.sequences"


def describe(thing: Any) -> Any:
    """A pattern, or what a pattern is made of, as JSON."""
    if isinstance(thing, tuple | list):
        return [describe(each) for each in thing]
    if isinstance(thing, Mapping):
        return {str(key): describe(each) for key, each in thing.items()}
    if isinstance(thing, float) and not math.isfinite(thing):
        return {"is": "float", "value": str(thing)}
    if thing is None or isinstance(thing, str | bool | int | float):
        return thing
    return _describe_object(thing)


def _describe_object(thing: Any) -> dict[str, Any]:
    name = type(thing).__name__
    if isinstance(thing, re.Pattern):
        return {"is": "regex", "pattern": thing.pattern, "flags": int(thing.flags)}
    if name == "NamedSequence":
        return {"is": name, "name": thing.name, "on": thing.on, "replicas": thing.replicas}
    if _class(name) is type(thing):
        return {"is": name, **_fields(thing)}
    return {"is": "function", "name": getattr(thing, "__name__", name)}


def _fields(thing: Any) -> dict[str, Any]:
    shown = {}
    for each in dataclasses.fields(thing):
        value = getattr(thing, each.name)
        if each.default is dataclasses.MISSING or value != each.default:
            shown[each.name] = describe(value)
    return shown


def pattern_from(described: Any) -> Expectation | str:
    """The pattern that was described.

    Raises `ConfigurationError` for what cannot be made again, such as a function.
    """
    pattern: Expectation | str = _from(described)
    return pattern


def _from(described: Any) -> Any:
    if isinstance(described, list):
        return tuple(_from(each) for each in described)
    if not isinstance(described, Mapping):
        return described
    inner = {str(key): value for key, value in described.items() if key != "is"}
    kind = described.get("is")
    if kind is None:
        return {key: _from(value) for key, value in inner.items()}
    make = _MAKERS.get(kind)
    return make(inner) if make else _made(str(kind), inner)


def _made(kind: str, inner: Mapping[str, Any]) -> Any:
    made = _class(kind)
    if made is None:
        raise ConfigurationError(f"this seatrial knows no {kind}")
    try:
        return made(**{key: _from(value) for key, value in inner.items()})
    except TypeError as error:
        raise ConfigurationError(f"this seatrial has another {kind}: {error}") from error


def _refuse_function(inner: Mapping[str, Any]) -> Any:
    raise ConfigurationError(f"{inner['name']} is a function, which a recording cannot hold")


def _class(name: str) -> Any:
    for path in _MODULES:
        found = getattr(importlib.import_module(path), name, None)
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            return found
    return None


def named_sequence(name: str) -> Any:
    """The ready-made sequence of that name. Raises `ConfigurationError` if there is none."""
    module = importlib.import_module(_SEQUENCES)
    known = {
        key: value for key, value in vars(module).items() if isinstance(value, module.NamedSequence)
    }
    if name not in known:
        raise ConfigurationError(
            f"there is no sequence {name}",
            hint=did_you_mean(name, known) or f"the sequences are {', '.join(sorted(known))}",
        )
    return known[name]


def _sequence(inner: Mapping[str, Any]) -> Any:
    sequence = named_sequence(inner["name"])
    if "/" in inner["on"]:
        return sequence.of(inner["on"], replicas=inner["replicas"])
    return sequence


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "float": lambda inner: float(inner["value"]),
    "regex": lambda inner: re.compile(inner["pattern"], inner["flags"]),
    "function": _refuse_function,
    "NamedSequence": _sequence,
}


def describe_condition(asked: Condition) -> dict[str, Any]:
    """A condition as JSON: what has to be ready, together with what, and for how long."""
    parts = vars(asked)
    if "ref" in parts:
        ref = parts["ref"]
        return {"is": "ready", "kind": ref.kind, "name": ref.name, "namespace": ref.namespace}
    if "conditions" in parts:
        inner = [describe_condition(each) for each in parts["conditions"]]
        return {"is": parts["need"].value, "conditions": inner}
    if "seconds" in parts:
        inner_one = describe_condition(parts["condition"])
        return {"is": "lasting", "condition": inner_one, "seconds": parts["seconds"]}
    # of a release only what is not watched: it was applied, and nothing more is known of it
    return {"is": "applied", "description": asked.describe()}


def condition_from(described: Mapping[str, Any]) -> Condition:
    """The condition that was described. Raises `ConfigurationError` for an unknown one."""
    kind = described["is"]
    if kind == "ready":
        return ready(ObjectRef(described["kind"], described["name"], described["namespace"]))
    if kind in ("all", "any"):
        parts = [condition_from(each) for each in described["conditions"]]
        return all_of(*parts) if kind == "all" else any_of(*parts)
    if kind == "lasting":
        return condition_from(described["condition"]).holds_for(described["seconds"])
    if kind == "applied":
        verdict = Verdict.satisfied("Applied", "it was applied, and is not watched")
        return condition(lambda _: verdict, described["description"])
    raise ConfigurationError(f"this seatrial knows no condition {kind!r}")
