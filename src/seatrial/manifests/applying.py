"""Applies manifests, and deletes them again until they are really gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

from seatrial.core.clock import Deadline
from seatrial.core.errors import ApiError, ConfigurationError, ManifestError, SeatrialError
from seatrial.core.feed import Feed
from seatrial.core.model import Object, dig
from seatrial.manifests.documents import Manifest
from seatrial.manifests.labels import is_ours, without_ownership
from seatrial.manifests.mistakes import mistakes_of
from seatrial.manifests.order import in_deletion_order, in_order, is_custom

__all__ = ["Objects", "apply", "delete", "wait_gone"]

#: seconds between two looks at what is being deleted, where no record comes earlier
LOOK_WITHIN = 0.25

DEFINITION = "CustomResourceDefinition"

#: the way out for a manifest that names another namespace, and for one of an object that is there
ANOTHER_NAMESPACE = (
    "leave metadata.namespace out, or take it out of all: "
    'patches=[Patch("*/*", {"metadata": {"namespace": None}})]'
)
NOT_OURS = "give it a name of its own: it lives in no namespace, and may be in use"


class Objects(Protocol):
    """What is asked of a cluster's API. The namespace is ignored for kinds that live in none."""

    def get(
        self, api_version: str, kind: str, name: str, namespace: str = ""
    ) -> dict[str, Any] | None:
        """The object, or None where there is none."""

    def create(self, obj: Object, *, namespace: str = "") -> dict[str, Any]:
        """Create the object, which must not be there yet."""

    def apply(
        self,
        obj: Object,
        *,
        namespace: str = "",
        field_manager: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply; gives the object as it is then."""

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        *,
        namespace: str = "",
        propagation: Literal["Foreground", "Background", "Orphan"] = "Background",
        uid: str | None = None,
    ) -> bool:
        """Ask for the deletion of that very object; False if there was none."""


def apply(
    manifests: Iterable[Manifest],
    objects: Objects,
    *,
    namespace: str,
    field_manager: str = "seatrial",
    force: bool = False,
    allow_foreign: bool = False,
    defined: Callable[[Sequence[Object]], None] | None = None,
) -> tuple[Object, ...]:
    """Apply the manifests in an order that fits their kinds; gives the objects, in that order.

    Everything goes into `namespace`. Two things could reach beyond it: a manifest that names
    another namespace, and one of a kind that lives in none and is there already without being ours
    (a ClusterRole, say). Both are refused unless `allow_foreign`; what is not ours is then changed,
    but not marked as ours, so `delete` leaves it there.

    The API server takes a moment to serve a kind that a CustomResourceDefinition among the
    manifests defines. Before the first object of such a kind `defined` is called once, with all the
    definitions that were applied: it has to wait until they are established.

    Raises `ManifestError` for these and for an unknown kind, and `ApiError` for what the API server
    refuses, with file, line and field of each mistake; both say what was applied until then.
    """
    ordered = in_order(manifests)
    if not allow_foreign:
        _refuse_other_namespaces(ordered, namespace)
    applied: list[Object] = []
    own_kinds = _kinds_defined_by(ordered)
    for manifest in ordered:
        there: Object | None = None
        try:
            if defined and own_kinds and _group_kind(manifest) in own_kinds:
                own_kinds = frozenset()
                defined([obj for obj in applied if obj.get("kind") == DEFINITION])
            there = objects.get(
                manifest.api_version, manifest.kind, manifest.name, manifest.namespace or namespace
            )
            foreign = there is not None and _is_foreign(there, namespace)
            if foreign and not allow_foreign:
                raise ManifestError(
                    f"{manifest} is there already and is not seatrial's",
                    hint=NOT_OURS,
                )
            applied.append(
                objects.apply(
                    (without_ownership(manifest) if foreign else manifest).object,
                    namespace=namespace,
                    field_manager=field_manager,
                    force=force,
                )
            )
        except SeatrialError as error:
            raise _explained(error, manifest, ordered[: len(applied)], there) from error
    return tuple(applied)


def delete(
    manifests: Iterable[Manifest],
    objects: Objects,
    *,
    namespace: str,
    feed: Feed,
    timeout: float = 60.0,
) -> tuple[Object, ...]:
    """Delete what was applied, last first, and wait until it and all it owns is gone.

    Objects that do not carry our label are left alone. Custom resources get up to half of the time
    to go before anything else does: a controller that is deleted at once could not do what their
    finalizers wait for. Gives the objects that are gone now. `timeout` is in seconds; `feed` tells
    when to look again.

    Raises `ManifestError` if something is still there when the time is up, naming what holds it.
    """
    ordered = in_deletion_order(manifests)
    going: list[Object] = []
    for index, manifest in enumerate(ordered):
        if index and is_custom(ordered[index - 1]) and not is_custom(manifest):
            # what does not go by now is told of at the end
            with suppress(ManifestError):
                wait_gone(going, objects, feed=feed, timeout=timeout / 2)
        asked = _ask_to_go(manifest, objects, namespace)
        if asked is not None:
            going.append(asked)
    wait_gone(going, objects, feed=feed, timeout=timeout)
    return tuple(going)


def _ask_to_go(manifest: Manifest, objects: Objects, namespace: str) -> Object | None:
    """Ask for the deletion of one object; None if it is not there, or not ours."""
    version, kind, place = manifest.api_version, manifest.kind, manifest.namespace or namespace
    try:
        there = objects.get(version, kind, manifest.name, place)
    except ConfigurationError:
        # the definition of a custom resource has gone, and all resources of it with it
        if is_custom(manifest):
            return None
        raise
    if there is None or not is_ours(there):
        return None
    # an object in the foreground outlives what it owns: a Deployment goes after its pods
    asked = objects.delete(
        version,
        kind,
        manifest.name,
        namespace=place,
        propagation="Foreground",
        uid=dig(there, "metadata", "uid"),
    )
    return {**there, "apiVersion": version, "kind": kind} if asked else None


def wait_gone(
    going: Sequence[Object], objects: Objects, *, feed: Feed, timeout: float = 60.0
) -> None:
    """Wait until objects whose deletion was asked for are gone.

    One that has taken the name of another since is not waited for. Raises
    `ManifestError` after `timeout` seconds.
    """
    deadline = Deadline.after(timeout, feed.clock)
    left = list(going)
    while True:
        # the API server is asked, as the feed does not follow every kind; it is not held meanwhile
        left = [there for each in left if (there := _still_there(each, objects)) is not None]
        if not left:
            return
        if deadline.passed:
            raise ManifestError(
                f"{_names(left)} not gone {timeout:g} s after the deletion was asked for",
                details="\n".join(map(_held_by, left)),
            )
        feed.check()
        with feed.changed:
            feed.clock.wait(feed.changed, min(LOOK_WITHIN, deadline.remaining))


def _group_kind(manifest: Manifest) -> tuple[str, str]:
    return manifest.api_version.rpartition("/")[0], manifest.kind


def _kinds_defined_by(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """Group and kind of what the CustomResourceDefinitions among the manifests define."""
    return frozenset(
        (dig(each.object, "spec", "group"), dig(each.object, "spec", "names", "kind"))
        for each in manifests
        if each.kind == DEFINITION
    )


def _refuse_other_namespaces(manifests: Iterable[Manifest], namespace: str) -> None:
    for manifest in manifests:
        if manifest.namespace not in ("", namespace):
            raise ManifestError(
                f"{manifest} names namespace {manifest.namespace!r}, "
                f"and the test's is {namespace!r}",
                details=manifest.origin,
                hint=ANOTHER_NAMESPACE,
            )


def _is_foreign(there: Object, namespace: str) -> bool:
    return dig(there, "metadata", "namespace") != namespace and not is_ours(there)


def _explained(
    error: SeatrialError, manifest: Manifest, applied: Sequence[Manifest], there: Object | None
) -> SeatrialError:
    before = ", ".join(map(str, applied)) or "nothing"
    context = (f"from {manifest.origin}", f"applied before it: {before}")
    if isinstance(error, ApiError):
        first, *more = mistakes_of(error, manifest, there=there)
        lines = (first.shown, *(line for each in more for line in (each.detail, each.shown)))
        return ApiError(
            str(first) if first.path else error.cause,
            status=error.status,
            reason=error.reason,
            details="\n".join(line for line in (*lines, *context) if line),
            hint=first.hint or error.hint,
        )
    if isinstance(error, ConfigurationError):
        details = "\n".join(part for part in (error.details, *context) if part)
        return ManifestError(error.cause, details=details, hint=error.hint)
    return error


def _still_there(gone: Object, objects: Objects) -> Object | None:
    meta = gone["metadata"]
    there = objects.get(gone["apiVersion"], gone["kind"], meta["name"], meta.get("namespace", ""))
    if there is None or dig(there, "metadata", "uid") != meta.get("uid"):
        return None
    return {**there, "apiVersion": gone["apiVersion"], "kind": gone["kind"]}


def _names(objects: Sequence[Object]) -> str:
    names = ", ".join(f"{each['kind']}/{each['metadata']['name']}" for each in objects)
    return f"{names} {'is' if len(objects) == 1 else 'are'}"


def _held_by(obj: Object) -> str:
    name = f"{obj['kind']}/{obj['metadata']['name']}"
    finalizers = dig(obj, "metadata", "finalizers", default=[])
    return f"{name}: waits for {', '.join(finalizers) or 'its grace period'}"
