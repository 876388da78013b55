"""One process that holds the watch of a cluster, and tells what that costs it.

    python -m benchmarks.watchers seatrial|client KUBECONFIG

`seatrial`: a `Hub` with the streams of the test harness. `client`: the official client's
`watch.Watch` in one thread for each of the same kinds, keeping the latest of every object.

It prints its figures (JSON) once with nothing but its imports, once when everything is listed, and
then for each line that it reads. It ends at the end of its input.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seatrial.harness.cluster import WATCHED
from seatrial.kube import Connection, connect
from seatrial.watch import Hub

#: bytes of one page in /proc/self/statm
PAGE = os.sysconf("SC_PAGE_SIZE")


class WithSeatrial:
    """A hub, with the streams that every cluster of the harness has."""

    def __init__(self, connection: Connection) -> None:
        self._hub = Hub(connection)

    def start(self) -> None:
        for kind, version in WATCHED:
            self._hub.open(kind, version)

    def figures(self) -> dict[str, int]:
        with self._hub.changed:
            records = self._hub.records()
            last = records[-1].number if records else 0
            return {
                "told": last,
                "kept": len(records),
                "objects": len(self._hub.snapshot().objects),
            }


class WithClient:
    """What the official client's documentation shows, once for each kind."""

    def __init__(self, connection: Connection) -> None:
        # only here: they are 90 MB, which are no part of what the other one costs
        from kubernetes.client import AppsV1Api, CoreV1Api, DiscoveryV1Api  # noqa: PLC0415
        from kubernetes.watch import Watch  # noqa: PLC0415

        self._open: Any = Watch  # it has no annotations
        client: Any = connection.client
        core, apps, slices = CoreV1Api(client), AppsV1Api(client), DiscoveryV1Api(client)
        self._lists: tuple[Callable[..., Any], ...] = (
            core.list_event_for_all_namespaces,
            core.list_pod_for_all_namespaces,
            apps.list_replica_set_for_all_namespaces,
            apps.list_deployment_for_all_namespaces,
            core.list_node,
            core.list_config_map_for_all_namespaces,
            core.list_service_for_all_namespaces,
            slices.list_endpoint_slice_for_all_namespaces,
            core.list_service_account_for_all_namespaces,
        )
        self._latest: dict[str, Any] = {}
        self._told = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        for function in self._lists:
            listed = function()
            for each in listed.items:
                self._latest[each.metadata.uid] = each
            threading.Thread(
                target=self._watch, args=(function, listed.metadata.resource_version), daemon=True
            ).start()
        self._told = len(self._latest)

    def _watch(self, function: Callable[..., Any], version: str) -> None:
        for event in self._open().stream(function, resource_version=version):
            uid = event["object"].metadata.uid
            with self._lock:
                self._told += 1
                if event["type"] == "DELETED":
                    self._latest.pop(uid, None)
                else:
                    self._latest[uid] = event["object"]

    def figures(self) -> dict[str, int]:
        with self._lock:
            return {"told": self._told, "kept": 0, "objects": len(self._latest)}


def cost() -> dict[str, float]:
    """Seconds of a processor that this process has used, and its memory in bytes."""
    used = os.times()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"cpu": used.user + used.system, "rss": resident * PAGE}


def main(how: str, kubeconfig: str) -> None:
    connection = connect(Path(kubeconfig))
    watcher = WithSeatrial(connection) if how == "seatrial" else WithClient(connection)
    gc.collect()
    print(json.dumps(cost()), flush=True)
    watcher.start()
    print(json.dumps({**cost(), **watcher.figures()}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({**cost(), **watcher.figures()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
