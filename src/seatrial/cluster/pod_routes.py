"""Routes from each node to the pods of the others, kept by the nodes themselves.

A route in a container is gone when the container is started again, and the engine may give it, or
the node that it leads to, another address then. Nobody tells a node so. It looks every few seconds,
by the other nodes' names, which the engine's DNS knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seatrial.cluster.provider import Node

__all__ = ["keep_routes"]

#: seconds between two looks: a route that is right stays as it is
EVERY = 5

_SCRIPT = "/usr/local/lib/seatrial/pod-routes"
_TABLE = "/etc/seatrial/pod-routes"
_UNITS = "/etc/systemd/system"

#: a node that is stopped has no address: the route stays as it was
_LOOK = f"""#!/bin/bash
# Each line of {_TABLE} is a range of pods and the name of the node that has them.
while read -r range node; do
    address=$(getent ahostsv4 "$node" | awk 'NR == 1 {{ print $1 }}')
    [ -z "$address" ] || ip route replace "$range" via "$address"
done <{_TABLE}
"""

_SERVICE = f"""[Unit]
Description=Routes to the pods of other nodes
After=seatrial-dns.service

[Service]
Type=oneshot
ExecStart={_SCRIPT}
"""

_TIMER = f"""[Unit]
Description=Routes to the pods of other nodes, every few seconds

[Timer]
OnActiveSec=0
OnUnitActiveSec={EVERY}
AccuracySec=1

[Install]
WantedBy=timers.target
"""


def keep_routes(nodes: Sequence[Node], ranges: Mapping[str, str]) -> None:
    """Give each node its routes, which it keeps from then on. `ranges`: of pods, by node.

    The routes are there when this returns. Raises `CommandError`.
    """
    for node in nodes:
        others = [f"{pods} {name}\n" for name, pods in ranges.items() if name != node.name]
        if not others:
            continue
        _put(node, _TABLE, "".join(others))
        _put(node, _SCRIPT, _LOOK, mode="755")
        _put(node, f"{_UNITS}/seatrial-pod-routes.service", _SERVICE)
        _put(node, f"{_UNITS}/seatrial-pod-routes.timer", _TIMER)
        node.exec(["systemctl", "daemon-reload"])
        node.exec(["systemctl", "start", "seatrial-pod-routes.service"])
        node.exec(["systemctl", "enable", "--now", "seatrial-pod-routes.timer"])


def _put(node: Node, path: str, text: str, *, mode: str = "644") -> None:
    node.exec(["install", "-D", "-m", mode, "/dev/stdin", path], stdin=[text.encode()])
