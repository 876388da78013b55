"""The configuration that kind is given, for each wish and each kind of machine."""

import json

import pytest
import yaml

from seatrial.cluster import FIRST_NODE_PORT, ClusterOptions, HostFacts
from seatrial.cluster.kind_config import conflist, kind_config
from seatrial.core.errors import ConfigurationError

GOOD = HostFacts(cgroup_version=2, sys_resource=True)


def config_of(facts=GOOD, *, own_network=False, **options):
    return yaml.safe_load(kind_config(ClusterOptions(**options), facts, own_network=own_network))


def test_a_machine_that_lacks_nothing_gets_no_patch_for_the_host():
    config = config_of()
    assert config["kind"] == "Cluster"
    assert config["apiVersion"] == "kind.x-k8s.io/v1alpha4"
    assert set(config) == {
        "kind", "apiVersion", "networking", "nodes", "kubeadmConfigPatchesJSON6902",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "kubelet", "containerd"),
    [
        (HostFacts(2, True), False, False),
        (HostFacts(1, True), True, False),
        (HostFacts(2, False), False, True),
        (HostFacts(1, False), True, True),
    ],
    ids=str,
)
def test_a_patch_for_the_host_is_there_only_where_the_host_needs_it(facts, kubelet, containerd):
    config = config_of(facts)
    assert ("kubeadmConfigPatches" in config) == kubelet
    assert ("containerdConfigPatches" in config) == containerd


def test_on_cgroup_v1_the_kubelet_is_told_not_to_refuse_it():
    [patch] = config_of(HostFacts(1, True))["kubeadmConfigPatches"]
    assert yaml.safe_load(patch) == {"kind": "KubeletConfiguration", "failCgroupV1": False}


def test_without_cap_sys_resource_containerd_may_not_lower_an_oom_score():
    [patch] = config_of(HostFacts(2, False))["containerdConfigPatches"]
    table, setting = patch.strip().splitlines()
    assert table == '[plugins."io.containerd.grpc.v1.cri"]'
    assert setting.strip() == "restrict_oom_score_adj = true"


def test_every_node_port_is_published_on_this_machine_alone_at_a_port_that_the_engine_picks():
    control_plane = config_of(node_ports=3)["nodes"][0]
    assert control_plane["extraPortMappings"] == [
        {"containerPort": port, "hostPort": -1, "listenAddress": "127.0.0.1"}
        for port in (30000, 30001, 30002)
    ]
    assert FIRST_NODE_PORT == 30000


def test_nothing_at_all_listens_on_an_address_that_others_reach():
    text = kind_config(ClusterOptions(workers=2), HostFacts(1, False), own_network=True)
    assert "0.0.0.0" not in text  # noqa: S104 - it is there to be absent
    config = yaml.safe_load(text)
    assert config["networking"]["apiServerAddress"] == "127.0.0.1"
    listening = {m["listenAddress"] for m in config["nodes"][0]["extraPortMappings"]}
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_there_is_one_control_plane_and_as_many_workers_as_are_wanted(workers):
    nodes = config_of(workers=workers)["nodes"]
    assert [node["role"] for node in nodes] == ["control-plane", *["worker"] * workers]
    assert all("extraPortMappings" not in node for node in nodes[1:])


@pytest.mark.parametrize("own_network", [True, False])
def test_kind_installs_its_pod_network_unless_there_is_one_of_ours(own_network):
    networking = config_of(own_network=own_network)["networking"]
    assert networking["disableDefaultCNI"] is own_network


@pytest.mark.parametrize(
    ("kubernetes", "version", "patch"),
    [
        ("1.37.2", "v1beta4", {
            "op": "add", "path": "/apiServer/extraArgs/-",
            "value": {"name": "service-node-port-range", "value": "30000-30015"}}),
        ("1.36.0", "v1beta4", {
            "op": "add", "path": "/apiServer/extraArgs/-",
            "value": {"name": "service-node-port-range", "value": "30000-30015"}}),
        ("2.0.0", "v1beta4", {
            "op": "add", "path": "/apiServer/extraArgs/-",
            "value": {"name": "service-node-port-range", "value": "30000-30015"}}),
        ("1.35.4", "v1beta3", {
            "op": "add", "path": "/apiServer/extraArgs/service-node-port-range",
            "value": "30000-30015"}),
        ("1.9.11", "v1beta3", {
            "op": "add", "path": "/apiServer/extraArgs/service-node-port-range",
            "value": "30000-30015"}),
    ],
)  # fmt: skip
def test_services_get_published_node_ports_in_the_words_of_that_kubeadm(kubernetes, version, patch):
    [entry] = config_of(kubernetes=kubernetes)["kubeadmConfigPatchesJSON6902"]
    assert entry["group"] == "kubeadm.k8s.io"
    assert entry["kind"] == "ClusterConfiguration"
    assert entry["version"] == version
    assert json.loads(entry["patch"]) == [patch]


def test_the_range_of_node_ports_is_the_range_that_is_published():
    config = config_of(node_ports=1)
    [entry] = config["kubeadmConfigPatchesJSON6902"]
    assert json.loads(entry["patch"])[0]["value"]["value"] == "30000-30000"
    assert [m["containerPort"] for m in config["nodes"][0]["extraPortMappings"]] == [30000]


def test_the_pod_network_of_a_node_gives_addresses_of_its_own_range():
    network = json.loads(conflist("10.244.1.0/24"))
    assert (network["cniVersion"], network["name"]) == ("1.0.0", "seatrial")
    veth, portmap = network["plugins"]
    assert (veth["type"], veth["ipMasq"]) == ("ptp", True)
    assert veth["ipam"]["type"] == "host-local"
    assert veth["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert veth["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}]
    assert portmap == {"type": "portmap", "capabilities": {"portMappings": True}}


def test_the_pod_network_uses_only_plugins_that_are_in_our_node_image():
    network = json.loads(conflist("10.244.1.0/24"))
    used = {plugin["type"] for plugin in network["plugins"]} | {"host-local"}
    assert used <= {"ptp", "loopback", "host-local", "portmap"}


def test_feature_gates_are_those_of_all_components():
    assert config_of(feature_gates={"A": True, "B": False})["featureGates"] == {
        "A": True, "B": False
    }  # fmt: skip


def test_folders_are_mounted_into_every_node():
    mount = {"hostPath": "/data", "containerPath": "/data", "readOnly": True}
    nodes = config_of(workers=2, extra_mounts=[mount])["nodes"]
    assert [node["extraMounts"] for node in nodes] == [[mount]] * 3


def test_further_ports_are_published_on_this_machine_alone_unless_they_say_otherwise():
    web = {"containerPort": 80, "hostPort": 8080}
    everybody = {"containerPort": 81, "hostPort": 8081, "listenAddress": "10.0.0.1"}
    nodes = config_of(workers=1, node_ports=1, port_mappings=[web, everybody])["nodes"]
    assert nodes[0]["extraPortMappings"] == [
        {**web, "listenAddress": "127.0.0.1"},
        everybody,
        {"containerPort": 30000, "hostPort": -1, "listenAddress": "127.0.0.1"},
    ]
    assert "extraPortMappings" not in nodes[1]


OWN = """
kind: Cluster
networking: {podSubnet: 10.100.0.0/16, disableDefaultCNI: false}
featureGates: {A: false, C: true}
kubeadmConfigPatches: ["kind: ClusterConfiguration"]
nodes:
  - {role: worker, labels: {zone: a}}
  - {role: control-plane, extraPortMappings: [{containerPort: 90}]}
"""


def test_a_configuration_of_the_users_own_is_what_all_is_put_into():
    config = config_of(
        HostFacts(1, True), own_network=True, config=OWN, node_ports=1, feature_gates={"A": True}
    )
    assert config["networking"] == {
        "apiServerAddress": "127.0.0.1", "podSubnet": "10.100.0.0/16", "disableDefaultCNI": True
    }  # fmt: skip
    assert config["featureGates"] == {"A": True, "C": True}
    own, ours = config["kubeadmConfigPatches"]
    assert own == "kind: ClusterConfiguration"
    assert "failCgroupV1" in ours
    worker, control_plane = config["nodes"]
    assert worker == {"role": "worker", "labels": {"zone": "a"}}
    assert [each["containerPort"] for each in control_plane["extraPortMappings"]] == [90, 30000]


def test_a_configuration_without_a_control_plane_is_refused():
    with pytest.raises(ConfigurationError, match="has no control plane"):
        config_of(config="nodes: [{role: worker}]")
