"""Other clusters: one that fails leaves nothing, and what is somebody else's is not touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.cluster import ClusterOptions, KindProvider
from seatrial.core.errors import ClusterError
from seatrial.core.progress import Quiet


@pytest.fixture
def provider(k8s_cluster, k8s_settings):
    return KindProvider(
        k8s_cluster.client, k8s_cluster.kind_path, k8s_cluster.kubectl_path, k8s_settings.state_dir
    )


def everything(client):
    """What an engine holds beside images."""
    containers = {container.name for container in client.containers.list(all=True)}
    networks = {network.name for network in client.networks.list()}
    volumes = {volume.name for volume in client.volumes.list()}
    return containers, networks, volumes


@pytest.mark.alone
def test_a_creation_that_fails_says_why_and_leaves_nothing(
    provider, k8s_cluster, k8s_image, k8s_settings
):
    before = everything(k8s_cluster.client)
    name = f"{k8s_cluster.name[:40]}-fails"
    # an image that kind can start, and that is no node
    options = ClusterOptions(name=name, node_image=k8s_image.reference)
    with pytest.raises(ClusterError) as raised:
        provider.ensure(options, Quiet())
    text = str(raised.value)
    assert text.splitlines()[0] == f"cluster {name} could not be created"
    assert f"kind create cluster --name={name}" in text
    assert f"{k8s_cluster.nodes[0].command} logs" in text
    assert everything(k8s_cluster.client) == before
    assert not (k8s_settings.state_dir / "clusters" / name).exists()
    assert provider.find(name) is None


def test_a_cluster_of_another_configuration_is_refused_and_stays(provider, k8s_cluster):
    options = ClusterOptions(name=k8s_cluster.name, node_image=k8s_cluster.node_image)
    assert provider.ensure(options, Quiet()).name == k8s_cluster.name
    with pytest.raises(ClusterError) as raised:
        provider.ensure(replace(options, workers=2), Quiet())
    assert "workers: 0, not 2" in str(raised.value)
    assert "control-plane" in k8s_cluster.kubectl("get", "nodes")


def test_a_kind_cluster_that_is_not_ours_is_neither_used_nor_deleted(provider, k8s_cluster):
    # as kind labels the nodes of a cluster, on a network that is not ours
    name = "somebodys"
    container = k8s_cluster.client.containers.create(
        k8s_cluster.node_image, labels={"io.x-k8s.kind.cluster": name}, network_mode="none"
    )
    try:
        options = ClusterOptions(name=name, node_image=k8s_cluster.node_image)
        with pytest.raises(ClusterError, match="that seatrial did not make"):
            provider.ensure(options, Quiet())
        with pytest.raises(ClusterError, match="that seatrial did not make"):
            provider.delete(name, Quiet())
        container.reload()
        assert name not in provider.list()
    finally:
        container.remove(force=True, v=True)


def test_the_users_own_kubeconfig_stays_as_it_is(k8s_cluster, tmp_path, monkeypatch):
    home = tmp_path / "home"
    config = home / ".kube" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: production\n")
    monkeypatch.setenv("HOME", str(home))
    k8s_cluster.kubectl("get", "nodes")
    assert config.read_text().endswith("current-context: production\n")
    assert sorted(path.name for path in config.parent.iterdir()) == ["config"]
