"""Asks the API server what it would say to manifests, without changing anything.

A server-side dry run of each. The API server stops at the first kind of mistake it finds in an
object (an unknown field hides a wrong type, and that hides all that validation has to say), so a
field that is at fault is mended or taken out, and it is asked again, until it has no more to say.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seatrial.core.errors import ApiError, ConfigurationError, ManifestError
from seatrial.core.model import Object, dig
from seatrial.core.spelling import did_you_mean, nearest
from seatrial.manifests.applying import ANOTHER_NAMESPACE, DEFINITION, NOT_OURS, Objects
from seatrial.manifests.documents import Manifest
from seatrial.manifests.labels import is_ours, without_ownership
from seatrial.manifests.mistakes import Fault, Mistake, mistakes_of, shown_value
from seatrial.manifests.order import in_order
from seatrial.manifests.places import FieldPath

__all__ = ["Validation", "validate"]

#: statuses that are not about the object: no answer, no credentials, no server that has time
_NOT_ABOUT_IT = (0, 401, 429, 503, 504)

#: questions about one object, most of them needed only where a mistake has to be searched for
QUESTIONS = 200


@dataclass(frozen=True)
class Validation:
    """What was found to be in order, and what could not be judged yet."""

    checked: tuple[Manifest, ...]
    unchecked: tuple[Manifest, ...] = ()
    """Objects of kinds that the manifests themselves define: the API server does not serve them
    before the definition is applied."""


def validate(
    manifests: Iterable[Manifest],
    objects: Objects,
    *,
    namespace: str,
    field_manager: str = "seatrial",
    force: bool = False,
    allow_foreign: bool = False,
) -> Validation:
    """Have the API server check the manifests as `apply` would give them to it; nothing is changed.

    Raises `ManifestError` with every mistake of every manifest, each with file, line and field:
    `deployment.yaml:27: spec.template.spec.containers[0].imagee: unknown field`; and `ApiError`
    where the API server cannot be asked.
    """
    ordered = in_order(manifests)
    own_namespaces = {each.name for each in ordered if each.kind == "Namespace"}
    own_kinds = {_defined(each) for each in ordered if each.kind == DEFINITION}
    checked: list[Manifest] = []
    unchecked: list[Manifest] = []
    found: list[Mistake] = []
    for manifest in ordered:
        if not allow_foreign and manifest.namespace not in ("", namespace):
            words = f"is {manifest.namespace!r}, and the test's is {namespace!r}"
            path = ("metadata", "namespace")
            found.append(Mistake(manifest, path, words, hint=ANOTHER_NAMESPACE))
            continue
        # a namespace that the manifests bring along is not there yet
        lives_in = namespace if manifest.namespace in own_namespaces else manifest.namespace
        check = _Check(manifest, objects, lives_in or namespace, field_manager, force)
        try:
            found += check.run(allow_foreign=allow_foreign)
        except ConfigurationError as error:
            if (manifest.api_version.rpartition("/")[0], manifest.kind) in own_kinds:
                unchecked.append(manifest)
            else:
                found.append(Mistake(manifest, ("kind",), error.cause, hint=error.hint))
        else:
            checked.append(manifest)
    if found:
        raise _refusal(found)
    return Validation(tuple(checked), tuple(unchecked))


class _Check:
    """The dry runs of one manifest."""

    def __init__(
        self, manifest: Manifest, objects: Objects, namespace: str, manager: str, force: bool
    ) -> None:
        self._manifest = manifest
        self._objects = objects
        self._namespace = namespace
        self._manager = manager
        self._force = force
        self._asked = 0

    def run(self, *, allow_foreign: bool) -> list[Mistake]:
        manifest = self._manifest
        there = self._objects.get(
            manifest.api_version, manifest.kind, manifest.name, self._namespace
        )
        foreign = there is not None and not (
            dig(there, "metadata", "namespace") == self._namespace or is_ours(there)
        )
        if foreign and not allow_foreign:
            words = "is there already and is not seatrial's"
            return [Mistake(manifest, ("metadata", "name"), words, hint=NOT_OURS)]
        obj = (without_ownership(manifest) if foreign else manifest).copy_object()
        if manifest.namespace:
            obj["metadata"]["namespace"] = self._namespace
        found: list[Mistake] = []
        taken: list[FieldPath] = []
        result: Object | None = None
        while self._asked < QUESTIONS:
            try:
                result = self._ask(obj)
                break
            except ApiError as error:
                if error.status in _NOT_ABOUT_IT:
                    raise
                fresh = [
                    self._located(each, obj)
                    for each in mistakes_of(error, manifest, obj=obj, there=there)
                ]
            found += [each for each in fresh if not _follows(each, taken)]
            mended = [each.path for each in fresh if self._mend(each, obj)]
            taken += mended
            if not mended and not self._take_over(fresh):
                break
        return _told(found, result)

    def _ask(self, obj: Object) -> Object:
        self._asked += 1
        return self._objects.apply(
            obj,
            namespace=self._namespace,
            field_manager=self._manager,
            force=self._force,
            dry_run=True,
        )

    def _take_over(self, fresh: Sequence[Mistake]) -> bool:
        """Whether only conflicts stood in the way: a dry run may take everything over."""
        forced, self._force = self._force, True
        return not forced and any(each.fault is Fault.CONFLICT for each in fresh)

    @staticmethod
    def _mend(mistake: Mistake, obj: dict[str, Any]) -> bool:
        """Put the object right as far as it takes to hear the next mistake."""
        *parents, last = mistake.path or ("",)
        holder = dig(obj, *parents)
        searched = (Fault.UNKNOWN, Fault.TYPE, Fault.CONVERSION)
        if mistake.fault not in searched or not isinstance(holder, dict) or last not in holder:
            return False
        if mistake.hint:
            # a number where text is wanted, say; without it other fields might not fit any more
            holder[last] = json.dumps(holder[last])
        else:
            del holder[last]
        return True

    def _located(self, mistake: Mistake, obj: Object) -> Mistake:
        """Find the field that cannot be converted: without it that is not said any more."""
        if mistake.fault is not Fault.CONVERSION:
            return mistake
        path: FieldPath = ()
        # the same path in an object from which more and more of what is not guilty is taken out
        left, inside = copy.deepcopy(dict(obj)), path
        while found := self._guilty(mistake, left, inside):
            step, left, last = found
            path, inside = (*path, step), (*inside, last)
        value = dig(obj, *path)
        is_plain = not isinstance(value, dict | list)
        shown = f", got {shown_value(self._manifest, value)}" if path and is_plain else ""
        return replace(mistake, path=path, message=f"{mistake.message}{shown}")

    def _guilty(
        self, mistake: Mistake, obj: dict[str, Any], path: FieldPath
    ) -> tuple[str | int, dict[str, Any], str | int] | None:
        """The step from `path` towards the guilty field; the object that is left, and the step in
        it."""
        steps = [
            step
            for step in _steps(dig(obj, *path))
            if path or step not in ("apiVersion", "kind", "metadata")
        ]
        for step in steps:
            if self._says(mistake, _without(obj, path, [step])) is False:
                return step, obj, step
        # it is not said of one field alone: see which is guilty without the others
        for step in steps if path else ():
            alone = _without(obj, path, [each for each in steps if each != step])
            if self._says(mistake, alone):
                return step, alone, 0 if isinstance(step, int) else step
        return None

    def _says(self, mistake: Mistake, obj: Object) -> bool | None:
        """Whether the same is said of an object; None once enough has been asked."""
        if self._asked >= QUESTIONS:
            return None
        try:
            self._ask(obj)
        except ApiError as error:
            said = mistakes_of(error, self._manifest, obj=obj)
            return any(each.message == mistake.message for each in said)
        return False


def _steps(value: Any) -> list[str | int]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _without(obj: Object, path: FieldPath, steps: Sequence[str | int]) -> dict[str, Any]:
    reduced = copy.deepcopy(dict(obj))
    holder = dig(reduced, *path)
    for step in reversed(steps):
        del holder[step]
    return reduced


def _follows(mistake: Mistake, taken: Sequence[FieldPath]) -> bool:
    """Whether it is about a field that was taken out, or about what is left around it."""
    size = len(mistake.path)
    return bool(mistake.path) and any(
        path[:size] == mistake.path or mistake.path[: len(path)] == path for path in taken
    )


def _told(found: Sequence[Mistake], result: Object | None) -> list[Mistake]:
    """The mistakes with what was probably meant.

    The fields that an unknown one can be a misspelling of are those that the API server fills in
    by itself, or misses.
    """
    missing = {each.path: each for each in found if each.message.startswith("Required value")}
    told = []
    for each in found:
        if each.fault is Fault.UNKNOWN:
            *parents, last = each.path
            names = [str(path[-1]) for path in missing if list(path[:-1]) == parents]
            beside = dig(result, *parents, default={})
            meant = did_you_mean(str(last), [*names, *beside])
            missing.pop((*parents, nearest(str(last), names)), None)
            told.append(replace(each, hint=meant))
        else:
            told.append(each)
    kept = set(missing)
    return [
        each for each in told if each.path in kept or not each.message.startswith("Required value")
    ]


def _refusal(found: Sequence[Mistake]) -> ManifestError:
    # as they stand in the files; what is in none comes last, as it came
    ordered = sorted(found, key=_stands_at)
    if len(ordered) == 1:
        [one] = ordered
        return ManifestError(str(one), details=one.shown, hint=one.hint)
    lines = []
    for each in ordered:
        lines.append(f"{each} -> {each.hint}" if each.hint else str(each))
        lines += [f"  {each.shown}"] if each.shown else []
    return ManifestError(f"{len(ordered)} mistakes in the manifests", details="\n".join(lines))


def _stands_at(mistake: Mistake) -> tuple[bool, str, int]:
    passage = mistake.manifest.passage
    return passage is None, passage.file if passage else "", mistake.line


def _defined(definition: Manifest) -> tuple[str, str]:
    return dig(definition.object, "spec", "group"), dig(definition.object, "spec", "names", "kind")
