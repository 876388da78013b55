from __future__ import annotations

import copy
import fcntl
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import registry as registry_in_cluster
import yaml

from seatrial.images.engine_image import find
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import artifacts_of

MANIFESTS = Path(__file__).parents[2] / "fixtures" / "manifests"


@contextmanager
def locked(path, how):
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """With several workers, a test that is marked `alone` runs while no other does.

    The whole test is under the lock, its module's fixtures included. Whoever wants in passes a gate
    first, so that one who waits for the others to end is not overtaken by ever new ones.
    """
    if not hasattr(item.config, "workerinput"):
        return (yield)
    # one folder for all workers of the run
    folder = item.config._tmp_path_factory.getbasetemp().parent
    alone = item.get_closest_marker("alone") is not None
    with ExitStack() as stack:
        with locked(folder / "gate", fcntl.LOCK_EX):
            how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
            stack.enter_context(locked(folder / "room", how))
        return (yield)


@pytest.fixture
def manifests():
    """The folder of the application's own manifests."""
    return MANIFESTS


@pytest.fixture
def broken_deployment(k8s_image):
    """The application's Deployment with its container, or its pod's spec, changed for the worse."""

    def make(*, container=None, spec=None):
        deployment = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())
        pod_spec = deployment["spec"]["template"]["spec"]
        pod_spec["containers"][0]["image"] = k8s_image.reference
        pod_spec["containers"][0].update(copy.deepcopy(container or {}))
        pod_spec.update(copy.deepcopy(spec or {}))
        return deployment

    return make


@pytest.fixture(scope="session")
def registry_image(k8s_cluster, k8s_settings):
    """An image with Debian's docker-registry, in every node."""
    client = k8s_cluster.client
    reference = registry_in_cluster.IMAGE.ensure(
        client, artifacts_of(k8s_settings), ConsoleProgress(), mirror=k8s_settings.debian_mirror
    )
    k8s_cluster.load_image(find(client, reference))
    return reference


@pytest.fixture
def registry(k8s_cluster, k8s_deploy, k8s_http, registry_image):
    """A registry of the test's own that the nodes can pull from."""
    release = k8s_deploy(registry_in_cluster.manifests(registry_image))
    release.wait_ready()
    # the engine does not try again, and kube-proxy needs a moment to hear of the endpoint
    with k8s_http.service("registry", port=registry_in_cluster.PORT) as endpoint:
        assert endpoint.get("/v2/").status_code == 200
    return registry_in_cluster.Registry.of(k8s_cluster, release)
