"""Routes to the pods of other nodes: what each node is given, and what its script does with it."""

from __future__ import annotations

import subprocess

from seatrial.cluster import pod_routes
from seatrial.cluster.pod_routes import keep_routes

RANGES = {"sea-control-plane": "10.244.0.0/24", "sea-worker": "10.244.1.0/24",
          "sea-worker2": "10.244.2.0/24"}  # fmt: skip


class Node:
    """Takes files, and notes what it is told to run."""

    def __init__(self, name):
        self.name = name
        self.files, self.ran = {}, []

    def exec(self, argv, *, stdin=None):
        if argv[0] == "install":
            mode, path = argv[3], argv[-1]
            self.files[path] = (mode, b"".join(stdin).decode())
        else:
            self.ran.append(" ".join(argv))
        return ""


def test_each_node_knows_which_node_has_the_pods_of_a_range():
    nodes = [Node(name) for name in RANGES]
    keep_routes(nodes, RANGES)
    assert nodes[1].files["/etc/seatrial/pod-routes"][1] == (
        "10.244.0.0/24 sea-control-plane\n10.244.2.0/24 sea-worker2\n"
    )
    assert nodes[1].files["/usr/local/lib/seatrial/pod-routes"][0] == "755"


def test_the_routes_are_there_at_once_and_looked_after_from_then_on():
    node = Node("sea-worker")
    keep_routes([node], RANGES)
    assert node.ran == [
        "systemctl daemon-reload",
        "systemctl start seatrial-pod-routes.service",
        "systemctl enable --now seatrial-pod-routes.timer",
    ]
    timer = node.files["/etc/systemd/system/seatrial-pod-routes.timer"][1]
    assert "OnUnitActiveSec=5" in timer
    assert "WantedBy=timers.target" in timer


def test_a_node_that_is_alone_needs_none():
    node = Node("sea-control-plane")
    keep_routes([node], {"sea-control-plane": "10.244.0.0/24"})
    assert (node.files, node.ran) == ({}, [])


def test_a_route_follows_the_name_and_stays_where_the_name_leads_nowhere(tmp_path):
    """The script itself, with a DNS and an `ip` that are scripts as well."""
    table = tmp_path / "table"
    table.write_text("10.244.1.0/24 here\n10.244.2.0/24 stopped\n10.244.3.0/24 there\n")
    said = tmp_path / "said"
    programs = {
        "getent": 'case $2 in here) echo "172.18.0.3 STREAM here"; echo "172.18.0.3 DGRAM";;'
                  ' there) echo "172.18.0.9 STREAM there";; *) exit 2;; esac',
        "ip": f'echo "$@" >> {said}',
    }  # fmt: skip
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = pod_routes._LOOK.replace(pod_routes._TABLE, str(table))
    subprocess.run(["bash", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    assert said.read_text().splitlines() == [
        "route replace 10.244.1.0/24 via 172.18.0.3",
        "route replace 10.244.3.0/24 via 172.18.0.9",
    ]
