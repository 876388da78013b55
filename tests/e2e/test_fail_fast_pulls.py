"""Pulls that a real registry refuses: named in the first line, in seconds."""

from __future__ import annotations

import registry as registry_in_cluster
from doomed import Case, deployment
from test_fail_fast import outcome


def test_a_tag_and_a_repository_that_a_registry_does_not_have(registry, k8s_image, k8s_deploy):
    here = f"localhost:{registry.node_port}"
    registry.push(k8s_image, "flask:there")
    names = {"tag": f"{here}/flask:ther", "repository": f"{here}/flaks:there"}
    release = k8s_deploy([
        deployment(Case(name, (), "", ""), image)
        for name, image in names.items()
    ])  # fmt: skip
    for name, image in names.items():
        found = outcome(release, f"Deployment/{name}")
        first = found.text.splitlines()[0]
        assert f"Pod/{name}-" in first
        assert f'image "{image}" cannot be pulled: not found' in first
        assert "under this very name?" in found.text
        assert found.seconds < 15


def test_a_registry_that_denies_access(k8s_cluster, k8s_deploy, k8s_http, registry_image):
    manifests = registry_in_cluster.manifests(registry_image, registry_in_cluster.DENYING)
    release = k8s_deploy(manifests)
    release.wait_ready()
    # kube-proxy needs a moment to hear of the endpoint
    with k8s_http.service("registry", port=registry_in_cluster.PORT) as endpoint:
        assert endpoint.get("/v2/").status_code == 401
    port = registry_in_cluster.Registry.of(k8s_cluster, release).node_port
    image = f"localhost:{port}/team/flask:1"
    denied = deployment(Case("denied", (), "", ""), image)
    found = outcome(k8s_deploy(denied), "Deployment/denied")
    first = found.text.splitlines()[0]
    assert f'image "{image}" cannot be pulled: the registry denies access' in first
    assert "imagePullSecrets" in found.text
    assert found.seconds < 15
