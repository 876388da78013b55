"""Kubeconfigs of others: read, taken apart, and never written.

The rules are kubectl's own: KUBECONFIG may name several files, of which the first to have an entry
wins; a file's relative paths are relative to that file; data wins over a file of the same content
("Organizing Cluster Access Using kubeconfig Files" in Kubernetes' documentation).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import dig
from seatrial.core.spelling import did_you_mean

__all__ = ["IN_CLUSTER", "Target", "default_paths", "find_target", "in_cluster", "read"]

#: what the context of a pod's own service account is called, so that it can be allow-listed
IN_CLUSTER = "in-cluster"
#: where every pod finds its service account ("Accessing the Kubernetes API from a Pod")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

#: file entries, each of which can be had inline as well
_CLUSTER_FILES = ("certificate-authority",)
_USER_FILES = ("client-certificate", "client-key")

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """One context of a kubeconfig, and nothing else of it."""

    context: str
    cluster: str
    server: str
    document: Document = field(repr=False)
    """A kubeconfig with this context alone, that depends on no other file but for a token that
    somebody renews in its file. It has secrets in it."""
    source: str
    """Where it was found, for a person."""

    @property
    def expired(self) -> str:
        """When its token has run out, if that can be told: `2026-11-24 18:00 UTC`, or nothing."""
        user = dig(self.document, "users", 0, "user", default={})
        return _past_expiry(str(user.get("token", "")))

    @property
    def plugin(self) -> str:
        """The program that gets the credentials, if it is one."""
        return str(dig(self.document, "users", 0, "user", "exec", "command", default=""))


def read(path: Path) -> Any:
    """A kubeconfig as it is. Raises `ConfigurationError` if it cannot be read, or is none."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the kubeconfig {path} cannot be read: {error.strerror}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the kubeconfig {path} is not YAML") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"the kubeconfig {path} is empty, or no kubeconfig")
    return document


def default_paths(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that kubectl would read; those of KUBECONFIG that are not there are left out."""
    named = [Path(each) for each in environment.get("KUBECONFIG", "").split(os.pathsep) if each]
    # kubectl goes by HOME as well, not by the user's entry in /etc/passwd
    home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    return tuple(path for path in named or [home / ".kube" / "config"] if path.is_file())


def find_target(paths: Sequence[Path], context: str = "") -> Target:
    """The context of that name, or the current one.

    Raises `ConfigurationError`, naming file and context, for what is missing or cannot be read.
    """
    files = [_File(path, read(path)) for path in paths]
    shown = ", ".join(str(path) for path in paths)
    current = (str(dig(each.document, "current-context", default="")) for each in files)
    wanted = context or next(filter(None, current), "")
    names = [name for each in files for name in each.names("contexts")]
    found = _first(files, "contexts", wanted)
    if found is None:
        raise ConfigurationError(
            f"the kubeconfig {shown} has no context {wanted!r}"
            if wanted
            else f"the kubeconfig {shown} has no current context",
            details=f"it has: {', '.join(names) or 'none'}",
            hint=did_you_mean(wanted, names) or "name one: --seatrial-context=…",
        )
    cluster_name = str(dig(found[1], "cluster", default=""))
    user_name = str(dig(found[1], "user", default=""))
    cluster = _first(files, "clusters", cluster_name)
    if cluster is None or not dig(cluster[1], "server"):
        raise ConfigurationError(
            f"context {wanted!r} of the kubeconfig {shown} names cluster {cluster_name!r}, "
            + ("which is not in it" if cluster is None else "which has no server")
        )
    user = _first(files, "users", user_name)
    if user_name and user is None:
        raise ConfigurationError(
            f"context {wanted!r} of the kubeconfig {shown} names user {user_name!r}, "
            "which is not in it"
        )
    return _target(
        context=wanted,
        cluster_name=cluster_name,
        cluster=_inlined(cluster, _CLUSTER_FILES),
        user_name=user_name,
        user=_user(user) if user else {},
        source=shown,
    )


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Target | None:
    """The cluster that this process is a pod of, by its service account; None if it is none."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{end}", "") for end in ("HOST", "PORT"))
    token, authority = folder / "token", folder / "ca.crt"
    if not (host and port and token.is_file() and authority.is_file()):
        return None
    # an IPv6 address takes brackets in a URL
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return _target(
        context=IN_CLUSTER,
        cluster_name=IN_CLUSTER,
        cluster={
            "server": f"https://{place}",
            "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
        },
        user_name=IN_CLUSTER,
        # the kubelet renews what is in the file
        user={"tokenFile": str(token)},
        source="the pod's service account",
    )


@dataclass(frozen=True)
class _File:
    path: Path
    document: Document

    def entries(self, section: str) -> list[Any]:
        found = dig(self.document, section, default=[])
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def names(self, section: str) -> list[str]:
        return [str(one.get("name", "")) for one in self.entries(section)]


def _first(files: Sequence[_File], section: str, name: str) -> tuple[_File, Any] | None:
    """The first entry of that name, with the file that it is in."""
    for each in files:
        for entry in each.entries(section):
            if name and entry.get("name") == name:
                # `contexts` hold a `context`, and so on
                return each, entry.get(section.removesuffix("s")) or {}
    return None


def _inlined(found: tuple[_File, Any], names: Sequence[str]) -> dict[str, Any]:
    """The entry with the content of files in their place."""
    file, entry = found
    made = dict(entry)
    for name in names:
        named = made.pop(name, None)
        if not named or made.get(f"{name}-data"):
            continue
        path = file.path.resolve().parent / named
        try:
            made[f"{name}-data"] = base64.b64encode(path.read_bytes()).decode()
        except OSError as error:
            raise ConfigurationError(
                f"the kubeconfig {file.path} names the file {path} ({name}), "
                f"which cannot be read: {error.strerror}"
            ) from error
    return made


def _user(found: tuple[_File, Any]) -> dict[str, Any]:
    made = _inlined(found, _USER_FILES)
    folder = found[0].path.resolve().parent
    if named := made.get("tokenFile"):
        # stays a file, as somebody renews what is in it; it wins over a token beside it
        made["tokenFile"] = str(folder / named)
        made.pop("token", None)
    plugin = dict(made.get("exec") or {})
    command = str(plugin.get("command", ""))
    if os.sep in command:
        made["exec"] = {**plugin, "command": str(folder / command)}
    return made


def _target(
    *,
    context: str,
    cluster_name: str,
    cluster: Mapping[str, Any],
    user_name: str,
    user: Mapping[str, Any],
    source: str,
) -> Target:
    # without the context's namespace: what is run without one is not to hit somebody's own
    named: dict[str, str] = {"cluster": cluster_name}
    if user_name:
        named["user"] = user_name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster_name, "cluster": dict(cluster)}],
        "users": [{"name": user_name, "user": dict(user)}] if user_name else [],
        "contexts": [{"name": context, "context": named}],
        "current-context": context,
    }
    return Target(context, cluster_name, str(cluster["server"]), document, source)


def _past_expiry(token: str) -> str:
    """Of a JSON Web Token (RFC 7519) whose time is over, when that was."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(f"{parts[1]}==="))
        ended = datetime.fromtimestamp(float(claims["exp"]), timezone.utc)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return ""
    over = ended < datetime.now(timezone.utc)
    return f"{ended:%Y-%m-%d %H:%M} UTC" if over else ""
