"""What etcd itself holds, past the API server: every Event's key, and how often it was written.

Through etcd's JSON gateway (https://etcd.io/docs/latest/dev-guide/api_grpc_gateway), asked by curl
in the node, where the certificates are. Values are protobuf and not looked at.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.cluster import Node

__all__ = ["Etcd", "StoredEvent"]

_PKI = "/etc/kubernetes/pki/etcd"
_EVENTS = "/registry/events/"


@dataclass(frozen=True)
class StoredEvent:
    """One Event as etcd knows it."""

    namespace: str
    name: str
    created: int
    """Revision of its first write."""
    modified: int
    """Revision of its last write: the object's resourceVersion."""
    writes: int
    """How often it was written."""


@dataclass(frozen=True)
class Etcd:
    """The etcd member of one control plane node."""

    node: Node

    def events(self) -> tuple[list[StoredEvent], int]:
        """Every Event, and the revision at which that was so."""
        end = _EVENTS[:-1] + chr(ord("/") + 1)
        answer = self._ask("range", key=_encoded(_EVENTS), range_end=_encoded(end), keys_only=True)
        found = []
        for each in answer.get("kvs", []):
            key = base64.b64decode(each["key"]).decode().removeprefix(_EVENTS)
            namespace, _, name = key.partition("/")
            created, modified = int(each["create_revision"]), int(each["mod_revision"])
            found.append(StoredEvent(namespace, name, created, modified, int(each["version"])))
        return found, int(answer["header"]["revision"])

    def compact(self) -> int:
        """Forget all that was before now, and give the revision of now."""
        _, revision = self.events()
        self._ask("compaction", revision=str(revision), physical=True)
        return revision

    def _ask(self, what: str, **body: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = json.loads(
            self.node.exec(
                ["curl", "--silent", "--show-error", "--fail", "--max-time", "30",
                 "--cacert", f"{_PKI}/ca.crt", "--cert", f"{_PKI}/server.crt",
                 "--key", f"{_PKI}/server.key", "--data", json.dumps(body),
                 f"https://127.0.0.1:2379/v3/kv/{what}"]
            )
        )  # fmt: skip
        return answer


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()
