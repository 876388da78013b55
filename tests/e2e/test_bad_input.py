"""What cannot work gets one clear error that names the cause and the way out."""

from __future__ import annotations

import pytest

from seatrial import SeatrialError
from seatrial.cluster import ClusterOptions
from seatrial.core.errors import ApiError, ConfigurationError, EngineError, ManifestError
from seatrial.manifests import load, require
from seatrial.tools.engine import connect


def test_unreadable_yaml(k8s_deploy, tmp_path):
    path = tmp_path / "deployment.yaml"
    path.write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: [flask\n")
    with pytest.raises(ManifestError) as raised:
        k8s_deploy(path)
    assert str(path) in str(raised.value)
    assert "line" in str(raised.value)


def test_a_manifest_with_no_deployment(manifests):
    with pytest.raises(ManifestError) as raised:
        require(load(manifests / "service.yaml"), "Deployment")
    assert "Deployment" in str(raised.value).splitlines()[0]


def test_a_release_of_configuration_alone_is_ready_once_it_is_there(k8s_deploy):
    release = k8s_deploy({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "look"}})
    assert release.wait_ready().reason == "Exists"


def test_an_unknown_kind(k8s_deploy):
    manifest = {"apiVersion": "apps/v1", "kind": "Deploymnet", "metadata": {"name": "flask"}}
    with pytest.raises(SeatrialError) as raised:
        k8s_deploy(manifest)
    first = str(raised.value).splitlines()[0]
    assert "Deploymnet" in first
    assert "Deployment" in str(raised.value)


def test_an_unknown_field(k8s_deploy, broken_deployment):
    deployment = broken_deployment()
    deployment["spec"]["replica"] = 2
    with pytest.raises(ApiError) as raised:
        k8s_deploy(deployment)
    assert "spec.replica" in str(raised.value).splitlines()[0]


def test_an_image_name_that_no_container_uses(k8s_deploy, k8s_image, manifests):
    with pytest.raises(ManifestError) as raised:
        k8s_deploy(manifests, images={"flaks": k8s_image})
    assert "flaks" in str(raised.value).splitlines()[0]
    assert "flask" in str(raised.value)


def test_a_service_that_is_not_there(k8s_http):
    with pytest.raises(ConfigurationError, match="there is no Service/flask"):
        k8s_http.service("flask", port=5000)


@pytest.mark.parametrize("name", ["My_Cluster", "a.b", "-x", "", "x" * 51])
def test_a_cluster_name_that_is_no_dns_label(name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a cluster"):
        ClusterOptions(name=name)


def test_no_docker_engine(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(EngineError, match="no Docker engine answers") as raised:
        connect()
    assert "seatrial setup" in raised.value.hint
