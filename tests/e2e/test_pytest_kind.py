"""A suite that uses pytest-kind goes on working, on our cluster: its own fixture, its own words."""

from __future__ import annotations

import gc

import pytest

pytest.importorskip("pytest_kind", reason="pytest-kind is not installed")


def test_kind_cluster_is_our_cluster(kind_cluster, k8s_cluster):
    assert kind_cluster.name == k8s_cluster.name
    assert kind_cluster.kubectl_path == k8s_cluster.kubectl_path
    assert kind_cluster.kubeconfig_path == k8s_cluster.kubeconfig_path


def test_kind_cluster_speaks_to_the_api(kind_cluster):
    """As in pytest-kind's README: `kubectl`, and pykube through `api`."""
    import pykube  # noqa: PLC0415 - comes with pytest-kind

    assert "control-plane" in kind_cluster.kubectl("get", "nodes")
    nodes = list(pykube.Node.objects(kind_cluster.api))
    assert [node.name for node in nodes] == [f"{kind_cluster.name}-control-plane"]


# pytest-kind starts ten port-forwards for one, and does not wait for the end of those it kills
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_kind_cluster_forwards_a_port(
    kind_cluster, k8s_deploy, k8s_image, manifests, tmp_path, monkeypatch
):
    import requests  # noqa: PLC0415

    # its kubectl is given no HOME, and so keeps its cache in the working directory
    monkeypatch.chdir(tmp_path)
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    with kind_cluster.port_forward("service/flask", 5000, "-n", release.namespace) as port:
        answer = requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    assert "Hello from Flask" in answer.text
    gc.collect()  # what it left behind is blamed on this test, not on the next
