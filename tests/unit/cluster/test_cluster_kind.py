"""kind clusters: made whole or not at all, reused when they are the same, never another's."""

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest
import requests
import yaml
from cluster_fakes import IMAGE, FakeCommands, FakeEngine, FakeVolume, Said, failed

from seatrial.cluster import ClusterOptions, KindProvider, bootstrap, container_node, kind
from seatrial.core.errors import ClusterError, EngineError
from seatrial.core.leases import Leases
from seatrial.core.processes import ProcessId

OPTIONS = ClusterOptions(name="trial", node_image=IMAGE)


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def commands(engine, monkeypatch, tmp_path):
    commands = FakeCommands(engine)
    for module in (kind, bootstrap, container_node):
        monkeypatch.setattr(module, "run", commands)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/.kube/config")
    return commands


@pytest.fixture
def provider(engine, commands, tmp_path):
    return KindProvider(engine, Path("/tools/kind"), Path("/tools/kubectl"), tmp_path / "state")


@pytest.fixture
def cluster(provider, commands):
    """A cluster that is there already; how it came about is forgotten."""
    made = provider.ensure(OPTIONS, Said())
    commands.calls.clear()
    return made


def assert_nothing_is_left(engine, tmp_path):
    assert engine.all_containers == []
    assert engine.all_networks == []
    assert list((tmp_path / "state" / "clusters").iterdir()) == []


# --- creating


def test_a_cluster_is_created_with_its_own_kubeconfig_network_and_configuration(
    provider, engine, commands, tmp_path
):
    cluster = provider.ensure(OPTIONS, Said())
    kubeconfig = tmp_path / "state" / "clusters" / "trial" / "kubeconfig"
    create = commands.calls[0]
    assert create.argv == [
        "/tools/kind", "create", "cluster", "--name=trial", f"--image={IMAGE}", "--config=-",
        f"--kubeconfig={kubeconfig}", "--retain",
    ]  # fmt: skip
    assert create.env == {
        "KIND_EXPERIMENTAL_PROVIDER": "docker",
        "KIND_EXPERIMENTAL_DOCKER_NETWORK": "seatrial-trial",
        "KUBECONFIG": str(kubeconfig),
    }
    assert yaml.safe_load(create.stdin)["nodes"][0]["role"] == "control-plane"
    assert (cluster.name, cluster.provider, cluster.kubeconfig_path) == (
        "trial", "kind", kubeconfig,
    )  # fmt: skip
    assert [node.name for node in cluster.nodes] == ["trial-control-plane"]


def test_whose_a_cluster_is_and_what_it_was_made_from_is_written_on_its_network(provider, engine):
    provider.ensure(OPTIONS, Said())
    [network] = engine.all_networks
    labels = network.attrs["Labels"]
    assert network.name == "seatrial-trial"
    assert labels["seatrial.dev/cluster"] == "trial"
    assert ClusterOptions(**json.loads(labels["seatrial.dev/options"])) == OPTIONS


def test_a_kubeconfig_is_for_its_owner_alone(provider):
    kubeconfig = provider.ensure(OPTIONS, Said()).kubeconfig_path
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.parent.stat().st_mode & 0o777 == 0o700


def test_the_users_own_kubeconfig_and_environment_are_never_touched(provider, commands, tmp_path):
    before = dict(os.environ)
    provider.ensure(OPTIONS, Said())
    provider.ensure(OPTIONS, Said())
    provider.delete("trial", Said())
    assert dict(os.environ) == before
    assert not (tmp_path / "home").exists()
    for call in commands.calls:
        assert ".kube" not in " ".join([*call.argv, *call.env.values()])
        if call.argv[0].startswith("/tools/"):
            assert any(word.startswith(f"--kubeconfig={tmp_path}") for word in call.argv)


def test_what_the_machine_lacks_decides_on_the_patches(provider, engine, commands):
    engine.information, engine.privileged = {"CgroupVersion": "1"}, b"CapBnd:\t0\n"
    provider.ensure(OPTIONS, Said())
    config = yaml.safe_load(commands.calls[0].stdin)
    assert {"kubeadmConfigPatches", "containerdConfigPatches"} <= set(config)


def test_a_cluster_is_given_only_when_nodes_dns_and_default_account_are_there(provider, commands):
    said = Said()
    provider.ensure(OPTIONS, said)
    waits = commands.lines("/tools/kubectl", " wait ", "--timeout=300s")
    assert len(waits) == 3
    assert commands.lines("nodes --all --for=condition=Ready")
    assert commands.lines("deployment/coredns --namespace=kube-system --for=condition=Available")
    assert commands.lines("serviceaccount/default --namespace=default --for=create")
    assert said.lines == [
        "creating cluster trial (kind, Kubernetes 1.37.2)",
        "Preparing nodes",
        "waiting for nodes, DNS and the default service account",
    ]


def test_an_image_without_a_pod_network_gets_one_of_ours(provider, engine, commands):
    engine.image_labels[IMAGE] = {"seatrial.dev/cni": "host"}
    commands.nodes = ("control-plane", "worker")
    provider.ensure(OPTIONS, Said())
    assert yaml.safe_load(commands.calls[0].stdin)["networking"]["disableDefaultCNI"] is True
    tables = [call for call in commands.calls if call.argv[-1] == "/etc/seatrial/pod-routes"]
    assert [call.stdin for call in tables] == [
        b"10.244.1.0/24 trial-worker\n", b"10.244.0.0/24 trial-control-plane\n"
    ]  # fmt: skip
    written = [call for call in commands.calls if "cp" in call.argv]
    assert [" ".join(call.argv) for call in written] == [
        f"docker exec --interactive trial-{node} cp /dev/stdin /etc/cni/net.d/10-seatrial.conflist"
        for node in ("control-plane", "worker")
    ]
    subnets = [
        json.loads(call.stdin)["plugins"][0]["ipam"]["ranges"][0][0]["subnet"] for call in written
    ]
    assert subnets == ["10.244.0.0/24", "10.244.1.0/24"]


def test_an_image_with_a_pod_network_keeps_it(provider, commands):
    provider.ensure(OPTIONS, Said())
    assert commands.lines("docker exec") == []


def test_a_cluster_is_made_by_one_process_at_a_time(provider, commands, tmp_path):
    held = []

    class Looking(Said):
        def step(self, title):
            with (tmp_path / "state/locks/trial.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    held.append(title)
            return super().step(title)

    provider.ensure(OPTIONS, Looking())
    provider.delete("trial", Looking())
    assert held == ["creating cluster trial (kind, Kubernetes 1.37.2)", "deleting cluster trial"]


# --- when creating fails


def test_a_failed_create_shows_the_logs_and_leaves_nothing(provider, engine, commands, tmp_path):
    cause = failed("/tools/kind", "create", output="ERROR: could not find a log line")
    commands.failing = {"create": cause}
    with pytest.raises(ClusterError) as caught:
        provider.ensure(OPTIONS, Said())
    assert caught.value.__cause__ is cause
    lines = str(caught.value).splitlines()
    assert lines[0] == "cluster trial could not be created"
    assert lines[1] == "  kind ended with status 1"
    assert "    ERROR: could not find a log line" in lines
    assert "  $ docker logs --tail=15 trial-control-plane" in lines
    assert "  the log of trial-control-plane" in lines
    for evidence in ("crictl ps --all", "--unit=kubelet", "--unit=containerd"):
        assert any(evidence in line for line in lines)
    assert lines[-1] == "-> `seatrial doctor` tells what this machine lacks"
    assert_nothing_is_left(engine, tmp_path)


@pytest.mark.parametrize(
    "step", ["condition=Ready", "condition=Available", "serviceaccount/default"]
)
def test_a_cluster_that_never_becomes_usable_is_taken_away(
    provider, engine, commands, tmp_path, step
):
    commands.failing = {step: failed("kubectl", "wait", output="timed out")}
    with pytest.raises(ClusterError, match="cluster trial could not be created"):
        provider.ensure(OPTIONS, Said())
    assert_nothing_is_left(engine, tmp_path)


@pytest.mark.parametrize(
    "error",
    [docker.errors.APIError("pool overlaps"), requests.ConnectionError("pool overlaps")],
    ids=lambda error: type(error).__name__,
)
def test_an_engine_that_refuses_a_network_is_an_error_of_ours(provider, engine, tmp_path, error):
    def refuse(name, *, labels):
        raise error

    engine.networks.create = refuse
    with pytest.raises(ClusterError, match="pool overlaps") as caught:
        provider.ensure(OPTIONS, Said())
    assert caught.value.__cause__ is error
    assert_nothing_is_left(engine, tmp_path)


def test_logs_that_cannot_be_had_do_not_keep_the_rest_from_being_taken_away(
    provider, engine, commands, tmp_path
):
    commands.failing = {
        "create": failed("kind", "create"),
        "crictl": failed("docker", "exec", status=None, because="did not end within 20 s"),
    }
    with pytest.raises(ClusterError) as caught:
        provider.ensure(OPTIONS, Said())
    assert "docker did not end within 20 s" in caught.value.details
    assert "--unit=containerd" in caught.value.details
    assert_nothing_is_left(engine, tmp_path)


def test_an_interrupt_while_logs_are_collected_still_takes_the_rest_away(
    provider, engine, commands, tmp_path
):
    commands.failing = {"create": failed("kind", "create"), "logs": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        provider.ensure(OPTIONS, Said())
    assert_nothing_is_left(engine, tmp_path)


def test_an_interrupted_create_leaves_nothing(provider, engine, commands, tmp_path):
    commands.failing = {"create": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        provider.ensure(OPTIONS, Said())
    assert commands.lines("docker logs") == []
    assert_nothing_is_left(engine, tmp_path)


def test_without_the_node_image_nothing_is_begun(provider, engine, commands):
    with pytest.raises(EngineError, match="the node image nobody/has:it is not in the engine"):
        provider.ensure(ClusterOptions(name="trial", node_image="nobody/has:it"), Said())
    assert commands.calls == []
    assert engine.all_networks == []


# --- finding and reusing


def test_a_cluster_that_is_not_there_is_not_found(provider):
    assert provider.find("trial") is None
    assert provider.list() == []


def test_only_clusters_of_ours_are_listed(provider, engine):
    for name in ("b", "a"):
        provider.ensure(ClusterOptions(name=name, node_image=IMAGE), Said())
    engine.node("somebody-elses", "somebody-elses-control-plane")
    assert provider.list() == ["a", "b"]


def test_a_kind_cluster_that_is_not_ours_is_refused_and_left_alone(provider, engine, commands):
    engine.node("trial", "trial-control-plane", network="kind")
    for attempt in (
        lambda: provider.ensure(OPTIONS, Said()),
        lambda: provider.delete("trial", Said()),
        lambda: provider.find("trial"),
    ):
        with pytest.raises(ClusterError) as caught:
            attempt()
        assert str(caught.value).splitlines() == [
            "there is a kind cluster 'trial' that seatrial did not make",
            "-> choose another name (--seatrial-cluster-name=…), or delete it yourself:",
            "   kind delete cluster --name trial",
        ]
    assert len(engine.all_containers) == 1
    assert commands.calls == []


def test_a_healthy_cluster_is_used_again(provider, cluster, engine, commands):
    said = Said()
    nodes = list(engine.all_containers)
    again = provider.ensure(OPTIONS, said)
    assert again.kubeconfig_path == cluster.kubeconfig_path
    assert engine.all_containers == nodes
    assert commands.lines("kind create") == []
    assert commands.lines("get nodes,deployments --namespace=kube-system")
    assert said.lines == ["cluster trial is there, and healthy"]


def _stop(engine, commands, cluster):
    engine.all_containers[0].status = "exited"


def _lose_kubeconfig(engine, commands, cluster):
    cluster.kubeconfig_path.unlink()


@pytest.mark.parametrize(
    ("harm", "ailment"),
    [(_stop, "node trial-control-plane is exited"), (_lose_kubeconfig, "its kubeconfig is gone")],
)
def test_what_can_be_mended_is_mended(provider, cluster, engine, commands, harm, ailment):
    said, before = Said(), list(engine.all_containers)
    harm(engine, commands, cluster)
    again = provider.ensure(OPTIONS, said)
    assert said.lines[0] == f"mending cluster trial: {ailment}"
    assert engine.all_containers == before
    assert engine.all_containers[0].status == "running"
    assert again.kubeconfig_path.stat().st_mode & 0o777 == 0o600
    assert commands.lines("kind create") == []


def _lose_containers(engine, commands, cluster):
    engine.all_containers.clear()


def _silence(engine, commands, cluster):
    commands.failing = {"nodes,deployments": failed("kubectl", "get", output="refused")}


def _lose_a_node(engine, commands, cluster):
    commands.ready = "Unknown"


def _lose_dns(engine, commands, cluster):
    commands.dns = "False"


def _fill_disk(engine, commands, cluster):
    commands.logs = "Use% IUse%\n 99%    4%"


HARMS = [
    (_lose_containers, "it has no nodes"),
    (_silence, "its API server does not answer (refused)"),
    (_lose_a_node, "node trial-control-plane is not ready"),
    (_lose_dns, "its DNS is not available"),
    (_fill_disk, "node trial-control-plane has 99 % of its disk space in use"),
]


@pytest.mark.parametrize(("harm", "ailment"), HARMS)
def test_what_cannot_be_mended_is_replaced(
    provider, cluster, engine, commands, monkeypatch, harm, ailment
):
    monkeypatch.setattr("seatrial.cluster.kind.MENDING", 0.0)
    said, before = Said(), list(engine.all_containers)
    harm(engine, commands, cluster)
    heal = commands._create
    monkeypatch.setattr(
        commands, "_create",
        lambda words: (setattr(commands, "failing", {}), setattr(commands, "ready", "True"),
                       setattr(commands, "dns", "True"), heal(words)),
    )  # fmt: skip
    provider.ensure(OPTIONS, said)
    if harm is not _lose_containers:
        assert said.lines[0] == f"mending cluster trial: {ailment}"
    assert said.lines.index("cluster trial is beyond mending: replacing it") < said.lines.index(
        "creating cluster trial (kind, Kubernetes 1.37.2)"
    )
    assert len(engine.all_containers) == len(engine.all_networks) == 1
    assert engine.all_containers != before


def test_a_cluster_that_was_never_whole_is_replaced_at_once(provider, cluster, engine, commands):
    cluster.kubeconfig_path.with_name("whole").unlink()
    _silence(engine, commands, cluster)
    said = Said()
    provider.ensure(OPTIONS, said)
    assert said.lines[0] == "cluster trial is beyond mending: replacing it"


def test_a_cluster_in_trouble_that_others_use_is_not_replaced(
    provider, cluster, engine, commands, tmp_path
):
    other = replace(ProcessId.mine(), pid=1, host="ci-3/abc")
    Leases(provider.state_dir).take("trial", "theirs", [other])
    _lose_dns(engine, commands, cluster)
    before = list(engine.all_containers)
    with pytest.raises(ClusterError) as caught:
        provider.ensure(OPTIONS, Said())
    assert str(caught.value).splitlines() == [
        "cluster trial is in trouble, and is used by process 1 on ci-3",
        "  its DNS is not available",
        "-> wait until they have ended, or take it away from them:",
        "   seatrial cluster down --name trial --force",
    ]
    assert engine.all_containers == before


def test_what_an_interrupted_deletion_has_left_is_deleted(provider, cluster, engine):
    engine.all_networks.clear()
    assert provider.find("trial") is None
    provider.delete("trial", Said())
    assert engine.all_containers == []


def test_a_cluster_says_whose_it_is(provider, cluster, engine):
    labels = engine.all_networks[0].attrs["Labels"]
    assert ProcessId.of_label(labels["seatrial.dev/owner"]) == ProcessId.mine()
    assert labels["seatrial.dev/state"] == str(provider.state_dir)


def test_a_cluster_made_from_another_configuration_is_refused_and_kept(provider, cluster, engine):
    other = ClusterOptions(name="trial", node_image=IMAGE, kubernetes="1.36.3", workers=1)
    with pytest.raises(ClusterError) as caught:
        provider.ensure(other, Said())
    assert str(caught.value).splitlines() == [
        "cluster trial is there, but was made from another configuration",
        "  kubernetes: '1.37.2', not '1.36.3'",
        "  workers: 0, not 1",
        "-> delete it (`seatrial cluster down --name trial`), or choose another name "
        "(--seatrial-cluster-name=…)",
    ]
    assert len(engine.all_containers) == 1


@pytest.mark.parametrize("written", ['{"colour": "blue"}', "not json", "[1]"])
def test_a_cluster_of_another_version_of_ours_is_refused(provider, cluster, engine, written):
    engine.all_networks[0].attrs["Labels"]["seatrial.dev/options"] = written
    with pytest.raises(ClusterError, match="it was made by another version of seatrial"):
        provider.ensure(OPTIONS, Said())


def test_a_node_port_answers_at_the_port_that_the_engine_gave_it(cluster, engine):
    control_plane = engine.all_containers[0]
    control_plane.ports = {
        "30000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}],
        "30001/tcp": None,
    }
    assert cluster.host_port(30000) == 49153
    assert cluster.host_port(30001) is None
    assert cluster.host_port(31000) is None
    # after a restart the engine has picked another
    control_plane.ports = {"30000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49200"}]}
    assert cluster.host_port(30000) == 49200


def test_a_command_is_run_in_a_node(cluster, commands):
    assert cluster.nodes[0].exec(["crictl", "images"]) == "the log of images"
    assert commands.lines() == ["docker exec trial-control-plane crictl images"]


# --- deleting


def test_deleting_takes_everything_of_that_cluster_and_of_no_other(
    provider, cluster, engine, tmp_path
):
    said = Said()
    other = ClusterOptions(name="other", node_image=IMAGE)
    provider.delete("trial", said)
    assert_nothing_is_left(engine, tmp_path)
    provider.ensure(other, Said())
    provider.delete("trial", said)
    assert provider.list() == ["other"]
    assert said.lines == ["deleting cluster trial"]


def test_what_is_left_of_a_cluster_that_was_never_whole_is_deleted(provider, cluster, engine):
    # the process was killed between making the network and the first node
    engine.all_containers.clear()
    cluster.kubeconfig_path.unlink()
    provider.delete("trial", Said())
    assert provider.list() == []
    assert not cluster.kubeconfig_path.parent.exists()


# --- podman


@pytest.fixture
def in_podman(engine, monkeypatch):
    engine.component = "Podman Engine"
    limits = {"CONTAINERS_CONF": "/state/podman/containers.conf"}
    monkeypatch.setattr(kind.podman, "environment", lambda state_dir: limits)
    return limits


def test_in_podman_kind_is_told_so_and_nobody_else(provider, commands, in_podman, tmp_path):
    before = dict(os.environ)
    cluster = provider.ensure(OPTIONS, Said())
    assert commands.calls[0].env == {
        **in_podman,
        "KIND_EXPERIMENTAL_PROVIDER": "podman",
        "KIND_EXPERIMENTAL_PODMAN_NETWORK": "seatrial-trial",
        "KUBECONFIG": str(cluster.kubeconfig_path),
    }
    cluster.nodes[0].exec(["crictl", "ps"], stdin=[b""])
    assert commands.calls[-1].argv == [
        "podman", "exec", "--interactive", "trial-control-plane", "crictl", "ps",
    ]  # fmt: skip
    assert dict(os.environ) == before


def test_a_cluster_of_the_same_name_in_docker_has_another_kubeconfig(
    provider, engine, commands, in_podman, tmp_path
):
    in_podmans = provider.ensure(OPTIONS, Said()).kubeconfig_path
    other = KindProvider(FakeEngine(), provider.kind, provider.kubectl, provider.state_dir)
    commands.engine = other.client
    in_dockers = other.ensure(OPTIONS, Said()).kubeconfig_path
    assert in_podmans != in_dockers
    other.delete("trial", Said())
    assert in_podmans.is_file()


def test_the_volumes_that_kind_makes_in_podman_go_with_the_cluster(provider, engine, in_podman):
    provider.ensure(OPTIONS, Said())
    for label in ("trial-control-plane", "trial-worker2", "trial-2-control-plane", "mine"):
        engine.all_volumes.append(FakeVolume(engine, {label: "true"}))
    engine.all_volumes.append(FakeVolume(engine, None))
    provider.delete("trial", Said())
    left = [volume.attrs["Labels"] for volume in engine.all_volumes]
    assert left == [{"trial-2-control-plane": "true"}, {"mine": "true"}, None]


def test_what_explains_a_failure_in_podman_is_asked_of_podman(provider, commands, in_podman):
    commands.failing["create"] = failed("kind", "create", output="no space")
    with pytest.raises(ClusterError) as caught:
        provider.ensure(OPTIONS, Said())
    assert "$ podman logs" in str(caught.value)
    assert commands.lines("docker") == []
