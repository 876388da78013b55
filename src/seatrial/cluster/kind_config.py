"""The configuration that kind is given, as a pure function of what is wanted and of the host.

Reference: https://kind.sigs.k8s.io/docs/user/configuration/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from seatrial.cluster.host import HostFacts
from seatrial.cluster.provider import ClusterOptions
from seatrial.core.errors import ConfigurationError

__all__ = ["FIRST_NODE_PORT", "conflist", "kind_config"]

FIRST_NODE_PORT = 30000

#: kubeadm's v1beta4 has lists of arguments where v1beta3 has maps; kind changes over at 1.36
_V1BETA4_SINCE = (1, 36)

_LOCAL = "127.0.0.1"

#: kind's value for "let the engine pick the port, at the moment it opens it": no race for it
_PICKED_BY_ENGINE = -1


def kind_config(options: ClusterOptions, facts: HostFacts, *, own_network: bool) -> str:
    """The cluster's configuration as YAML.

    With `own_network`, kind installs no pod network of its own (see `conflist`). Patches for the
    host are in it only where `facts` ask for them.
    """
    ports = range(FIRST_NODE_PORT, FIRST_NODE_PORT + options.node_ports)
    given = options.own_config
    config: dict[str, Any] = {
        **given,
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "apiServerAddress": _LOCAL,
            "disableDefaultCNI": False,
            **(given.get("networking") or {}),
            **({"disableDefaultCNI": True} if own_network else {}),
        },
        "nodes": _nodes(options, given, ports),
    }
    # what has to be comes after what the user's own configuration has, and so wins
    added: dict[str, list[Any]] = {
        # Services get their node ports from the published ones, and so can always be reached
        "kubeadmConfigPatchesJSON6902": [_port_range(options, ports)],
    }
    if facts.cgroup_version == 1:
        added["kubeadmConfigPatches"] = ["kind: KubeletConfiguration\nfailCgroupV1: false\n"]
    if not facts.sys_resource:
        added["containerdConfigPatches"] = [
            '[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n'
        ]
    for name, entries in added.items():
        config[name] = [*(given.get(name) or ()), *entries]
    if options.feature_gates:
        config["featureGates"] = {**(given.get("featureGates") or {}), **options.feature_gates}
    return yaml.safe_dump(config, sort_keys=False)


def _nodes(
    options: ClusterOptions, given: Mapping[str, Any], ports: Sequence[int]
) -> list[dict[str, Any]]:
    """Control planes and workers; the node ports are published by the first."""
    workers = [{"role": "worker"}] * options.workers
    nodes = [dict(n) for n in given.get("nodes") or [{"role": "control-plane"}, *workers]]
    first = next((n for n in nodes if n.get("role", "control-plane") == "control-plane"), None)
    if first is None:
        raise ConfigurationError("the configuration of kind has no control plane among its nodes")
    first["extraPortMappings"] = [
        *(first.get("extraPortMappings") or ()),
        *({"listenAddress": _LOCAL, **each} for each in options.port_mappings),
        # what a test serves is nobody else's business
        *({"containerPort": p, "hostPort": _PICKED_BY_ENGINE, "listenAddress": _LOCAL}
          for p in ports),
    ]  # fmt: skip
    for node in nodes:
        if options.extra_mounts:
            node["extraMounts"] = [*(node.get("extraMounts") or ()), *options.extra_mounts]
    return nodes


def _port_range(options: ClusterOptions, ports: range) -> dict[str, str]:
    value = f"{ports[0]}-{ports[-1]}"
    major, minor = options.kubernetes.split(".")[:2]
    if (int(major), int(minor)) >= _V1BETA4_SINCE:
        version = "v1beta4"
        patch = {
            "op": "add",
            "path": "/apiServer/extraArgs/-",
            "value": {"name": "service-node-port-range", "value": value},
        }
    else:
        version = "v1beta3"
        patch = {
            "op": "add",
            "path": "/apiServer/extraArgs/service-node-port-range",
            "value": value,
        }
    return {
        "group": "kubeadm.k8s.io",
        "version": version,
        "kind": "ClusterConfiguration",
        "patch": json.dumps([patch]),
    }


def conflist(pod_cidr: str) -> str:
    """A pod network for one node: a veth pair per pod, addresses from the node's own range.

    Nodes reach each other's pods by routes. Format: https://www.cni.dev/docs/spec
    """
    plugins: list[dict[str, Any]] = [
        {
            "type": "ptp",
            "ipMasq": True,
            "ipam": {
                "type": "host-local",
                # in memory: after a restart of the node no pod of before is left to hold one
                "dataDir": "/run/cni-ipam-state",
                "ranges": [[{"subnet": pod_cidr}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "seatrial", "plugins": plugins}, indent=2)
