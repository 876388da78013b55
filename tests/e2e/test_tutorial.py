"""The tutorial's path: build an image, deploy it, see the pod run, see the events, expose it, look
at the page."""

from __future__ import annotations

import re

import pytest

from seatrial import EventMismatchError, event, in_order, never
from seatrial.core.model import dig


@pytest.fixture
def release(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    return release


def test_the_deployment_becomes_ready(release, k8s_cluster, k8s_namespace):
    table = k8s_cluster.kubectl("get", "deployment/flask", f"--namespace={k8s_namespace}")
    header, row = (line.split() for line in table.splitlines())
    shown = dict(zip(header, row, strict=True))
    assert shown["NAME"] == "flask"
    assert shown["READY"] == "1/1"
    assert shown["UP-TO-DATE"] == "1"
    assert shown["AVAILABLE"] == "1"


def test_the_pod_runs_without_a_restart(release, k8s_cluster, k8s_namespace):
    table = k8s_cluster.kubectl("get", "pods", f"--namespace={k8s_namespace}")
    header, row = (line.split() for line in table.splitlines())
    shown = dict(zip(header, row, strict=True))
    assert shown["NAME"].startswith("flask-")
    assert shown["READY"] == "1/1"
    assert shown["STATUS"] == "Running"
    assert shown["RESTARTS"] == "0"
    assert [dig(pod, "metadata", "name") for pod in release.pods()] == [shown["NAME"]]


def test_the_events_come_in_their_order(release, k8s_events):
    match = k8s_events.expect(
        in_order(
            event("ScalingReplicaSet", on="Deployment/flask"),
            event("SuccessfulCreate", on="ReplicaSet/flask-*"),
            event("Scheduled", on="Pod/flask-*"),
            event("Pulled", on="Pod/flask-*", message="already present on machine"),
            event("Created", on="Pod/flask-*"),
            event("Started", on="Pod/flask-*"),
        ),
        never(event("BackOff")),
        never(event("Pulling")),
        within=5,
    )
    assert match["Pulled"].container == "flask"
    assert match["Scheduled"].object == match["Started"].object


def test_an_expectation_that_is_wrong_is_refused(release, k8s_events):
    with pytest.raises(EventMismatchError) as raised:
        k8s_events.expect(in_order("Started", "Pulled", on="Pod/flask-*"))
    assert "Pulled" in str(raised.value).splitlines()[0]


def test_the_service_waits_for_an_address_and_has_a_node_port(release, k8s_cluster, k8s_namespace):
    table = k8s_cluster.kubectl("get", "service/flask", f"--namespace={k8s_namespace}")
    header, row = (line.split() for line in table.splitlines())
    shown = dict(zip(header, row, strict=True))
    assert shown["TYPE"] == "LoadBalancer"
    assert shown["EXTERNAL-IP"] == "<pending>"
    mapped = re.fullmatch(r"5000:(\d+)/TCP", shown["PORT(S)"])
    assert mapped, shown
    node_port = dig(release["Service/flask"], "spec", "ports", 0, "nodePort")
    assert int(mapped[1]) == node_port
    assert k8s_cluster.handle.host_port(node_port), "the node port is not published"


@pytest.mark.parametrize("route", ["node-port", "port-forward"])
def test_port_5000_answers_with_the_page(release, k8s_http, route):
    endpoint = k8s_http.service("flask", port=5000, route=route)
    with endpoint:
        assert endpoint.url.startswith("http://127.0.0.1:")
        page = endpoint.get("/")
        assert page.status_code == 200
        assert "Hello from Flask" in page.text
        pod = dig(release.pods()[0], "metadata", "name")
        assert pod in page.text
        assert dig(release.pods()[0], "spec", "nodeName") in page.text
        assert endpoint.get("/readyz").text == "ready\n"


def test_what_runs_is_the_image_that_was_built(release, k8s_http, k8s_image):
    statuses = release.pods()[0]["status"]["containerStatuses"]
    assert [status["imageID"] for status in statuses] == [k8s_image.id]
    version = k8s_http.service("flask", port=5000).get("/version").json()
    assert version["build_id"] == k8s_image.reference.rpartition(":")[2]


@pytest.mark.k8s_pod_security("restricted")
def test_the_manifests_pass_pod_security_restricted(release, k8s_events, k8s_cluster):
    namespace = k8s_cluster.objects.get("v1", "Namespace", release.namespace)
    assert (
        dig(namespace, "metadata", "labels", "pod-security.kubernetes.io/enforce") == "restricted"
    )
    k8s_events.expect(event("Started", on="Pod/flask-*"), never(event("FailedCreate")))


def test_a_change_is_rolled_out_and_seen(release, k8s_http, k8s_events):
    release.rollout(patch={"spec": {"replicas": 2}})
    assert len(release.pods()) == 2
    k8s_events.expect(
        event("ScalingReplicaSet", on="Deployment/flask", message="from 1 to 2"), within=5
    )


def test_what_is_deleted_is_gone(release, k8s_cluster, k8s_namespace):
    release.delete()
    left = k8s_cluster.kubectl("get", "all", f"--namespace={k8s_namespace}", "--output=name")
    assert left == ""
