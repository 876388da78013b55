"""Reads and writes objects of any kind: a `dict` goes in, a `dict` comes out.

Every error is an `ApiError` that names the object and what the API server said of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.core.model import Object, dig
from seatrial.kube.connection import Connection
from seatrial.kube.resources import Resource

__all__ = ["Objects"]

#: objects per page of a list, as kubectl asks for
PAGE = 500

Items = list[dict[str, Any]]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class Objects:
    """The objects of one cluster. Safe for use by many threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.discovery = connection.discovery

    def get(
        self, api_version: str | None, kind: str, name: str, namespace: str = ""
    ) -> dict[str, Any] | None:
        """The object of that name, or None where there is none."""
        resource = self.discovery.find(kind, api_version)
        path = _path(resource, name, namespace)
        try:
            found: dict[str, Any] = self.connection.get_json(path, doing=f"read {kind}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def list(
        self,
        api_version: str | None,
        kind: str,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> tuple[Items, str]:
        """All objects of a kind, in one namespace or (none given) in all, with the
        `resourceVersion` of the list: a watch from there misses nothing.
        """
        pages = self.pages(
            self.discovery.find(kind, api_version),
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        items, version = next(pages)
        for page, _ in pages:
            items += page
        return items, version

    def pages(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Iterator[tuple[Items, str]]:
        """The same, page by page; all pages are of one moment and have one `resourceVersion`.

        An `ApiError` with status 410 says that a later page came too late: begin again.
        """
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": PAGE,
            "continue": "",
        }
        while True:
            answer = self.connection.get_json(
                resource.path(namespace),
                query=query,
                doing=f"list {resource.plural}" + (f" in {namespace}" if namespace else ""),
            )
            items = dig(answer, "items", default=[])
            for item in items:
                # the items of a list lack what the list itself says
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            yield items, answer["metadata"]["resourceVersion"]
            query["continue"] = dig(answer, "metadata", "continue", default="")
            if not query["continue"]:
                return

    def apply(
        self,
        obj: Object,
        *,
        namespace: str = "",
        field_manager: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply: create the object, or make its fields what `obj` says.

        An unknown field is an error, not a warning. `force` takes fields over that another field
        manager set. `namespace` is for objects that name none themselves.
        """
        resource, name, namespace = self._place(obj, namespace)
        query = {
            "fieldManager": field_manager,
            "fieldValidation": "Strict",
            "force": force,
            "dryRun": "All" if dry_run else "",
        }
        applied: dict[str, Any] = self.connection.send_json(
            "PATCH",
            _path(resource, name, namespace),
            obj,
            query=query,
            content_type=_APPLY,
            doing=f"apply {resource.kind}/{name}",
        )
        return applied

    def create(
        self, obj: Object, *, namespace: str = "", field_manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object; one that exists already is an `ApiError` with reason AlreadyExists."""
        resource, name, namespace = self._place(obj, namespace)
        query = {
            "fieldManager": field_manager,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else "",
        }
        collection = _path(resource, name, namespace).rpartition("/")[0]
        created: dict[str, Any] = self.connection.send_json(
            "POST", collection, obj, query=query, doing=f"create {resource.kind}/{name}"
        )
        return created

    def patch(
        self,
        api_version: str | None,
        kind: str,
        name: str,
        change: Mapping[str, Any],
        *,
        namespace: str = "",
        field_manager: str = "",
        subresource: str = "",
    ) -> dict[str, Any]:
        """Merge `change` into an object (JSON merge patch: None removes a field)."""
        resource = self.discovery.find(kind, api_version)
        patched: dict[str, Any] = self.connection.send_json(
            "PATCH",
            _path(resource, name, namespace, subresource),
            change,
            query={"fieldManager": field_manager, "fieldValidation": "Strict"},
            content_type=_MERGE,
            doing=f"change {kind}/{name}",
        )
        return patched

    def delete(
        self,
        api_version: str | None,
        kind: str,
        name: str,
        *,
        namespace: str = "",
        propagation: Literal["Foreground", "Background", "Orphan"] = "Background",
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Ask for an object's deletion; False if there was none.

        With `uid` only that very object is deleted: one that has taken its name since is an
        `ApiError` with reason Conflict. The object may stay until its finalizers are done; watch
        it, or `get` it, to see it gone.
        """
        resource = self.discovery.find(kind, api_version)
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self.connection.send_json(
                "DELETE", _path(resource, name, namespace), options, doing=f"delete {kind}/{name}"
            )
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str = "",
        *,
        previous: bool = False,
        tail: int | None = None,
    ) -> str:
        """What a container wrote; with `previous` what it wrote before its last restart.

        `tail`: only so many of the last lines.
        """
        path = _path(self.discovery.find("Pod", "v1"), pod, namespace, "log")
        query = {"container": container, "previous": previous, "tailLines": tail}
        answer = self.connection.request(
            "GET", path, query=query, accept="*/*", doing=f"show the logs of Pod/{pod}"
        )
        return answer.decode(errors="replace")

    def _place(self, obj: Object, namespace: str) -> tuple[Resource, str, str]:
        """Resource, name and namespace of an object that is to be written."""
        kind = dig(obj, "kind", default="")
        resource = self.discovery.find(kind, dig(obj, "apiVersion", default=""))
        name = dig(obj, "metadata", "name", default="")
        if not name:
            raise ConfigurationError(f"a {kind} without metadata.name cannot be written")
        return resource, name, dig(obj, "metadata", "namespace", default="") or namespace


def _path(resource: Resource, name: str, namespace: str, subresource: str = "") -> str:
    if resource.namespaced and not namespace:
        raise ConfigurationError(f"{resource.kind}/{name} lives in a namespace, and none was given")
    return resource.path(namespace, name, subresource)
