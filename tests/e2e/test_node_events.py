"""The node's own story: from the kubelet's start to Ready."""

from __future__ import annotations

from seatrial import any_order, event, in_order, never


def test_the_node_goes_from_starting_to_ready(k8s_cluster):
    node = k8s_cluster.nodes[0].name
    k8s_cluster.events("default").expect(
        in_order(
            event("Starting", source="kubelet"),
            any_order(
                "NodeHasSufficientMemory",
                "NodeHasNoDiskPressure",
                "NodeHasSufficientPID",
                "NodeAllocatableEnforced",
            ),
            "NodeReady",
            on=f"Node/{node}",
        ),
        in_order(
            event("Starting", source="kubelet"),
            event("RegisteredNode", source="node-controller"),
            on=f"Node/{node}",
        ),
        in_order(
            event("NodeHasSufficientMemory"),
            event("Starting", source="kube-proxy"),
            on=f"Node/{node}",
        ),
        within=10,
    )


def test_the_node_was_ready_ever_since(k8s_cluster):
    node = k8s_cluster.nodes[0].name
    k8s_cluster.events("default").expect(never(event("NodeNotReady", on=f"Node/{node}")))
    assert "True" in k8s_cluster.kubectl(
        "get", f"node/{node}", "--output=jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    )
