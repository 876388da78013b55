"""`wait_ready()` waits for every kind that was applied, each by its own idea of being ready."""

from __future__ import annotations

import copy
import secrets
import time

import pytest

from seatrial import NotReadyError

GROUP = "boats.seatrial.dev"
SLEEP = ["python3", "-c", "import time; time.sleep(3600)"]


def obj(kind, name, api_version="v1", **body):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def pods(app, image, command=None, **more):
    """Selector and template for pods of that application; each is ready when it says so."""
    container = {"name": "main", "image": image, "command": command or SLEEP}
    container["readinessProbe"] = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], **more}
    if spec.get("restartPolicy") == "Never":
        del container["readinessProbe"]
    return {
        "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
    }


def definition(plural, kind):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    return obj(
        "CustomResourceDefinition",
        f"{plural}.{GROUP}",
        "apiextensions.k8s.io/v1",
        spec={
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    )


@pytest.fixture(scope="module")
def leftovers(k8s_cluster):
    """Definitions of earlier sessions are deleted; those of this one stay.

    The session watches their kinds, and to the hub a kind that vanishes is an error.
    """
    found = k8s_cluster.kubectl("get", "crd", "--output=name").split()
    if old := [name for name in found if name.endswith(f".{GROUP}")]:
        k8s_cluster.kubectl("delete", *old)


@pytest.fixture
def unique(leftovers):
    """A name for what lives in no namespace."""
    return f"boats-{secrets.token_hex(3)}"


def storage(name):
    size = {"storage": "1Mi"}
    shape = {"storageClassName": name, "accessModes": ["ReadWriteOnce"]}
    return [
        obj(
            "PersistentVolume", name, spec={**shape, "capacity": size, "hostPath": {"path": "/opt"}}
        ),
        obj("PersistentVolumeClaim", "bound", spec={**shape, "resources": {"requests": size}}),
        obj(
            "StorageClass",
            f"{name}-late",
            "storage.k8s.io/v1",
            provisioner="kubernetes.io/no-provisioner",
            volumeBindingMode="WaitForFirstConsumer",
        ),
        obj(
            "PersistentVolumeClaim",
            "unused",
            spec={**shape, "storageClassName": f"{name}-late", "resources": {"requests": size}},
        ),
    ]


def service(name, **spec):
    return obj("Service", name, spec={"ports": [{"port": 5000}], **spec})


def everything(image, unique):
    """One of every kind, small enough to be there in seconds."""
    done = ["python3", "-c", "print('done')"]
    once = pods("once", image, done, restartPolicy="Never")["template"]
    old = pods("old", image)
    return [
        obj("Namespace", unique),
        obj("PriorityClass", unique, "scheduling.k8s.io/v1", value=5),
        *storage(unique),
        definition(unique, "Boat"),
        obj("Boat", "dinghy", f"{GROUP}/v1", spec={"crew": 2}),
        obj("ConfigMap", "settings", data={"colour": "blue"}),
        obj("Secret", "login", stringData={"password": "hidden"}),
        obj("ServiceAccount", "robot"),
        obj("Role", "robot", "rbac.authorization.k8s.io/v1", rules=[]),
        obj(
            "RoleBinding",
            "robot",
            "rbac.authorization.k8s.io/v1",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"},
        ),
        obj(
            "NetworkPolicy",
            "open",
            "networking.k8s.io/v1",
            spec={"podSelector": {}, "ingress": [{}]},
        ),
        obj("ResourceQuota", "many", spec={"hard": {"pods": "100"}}),
        service("balanced", type="LoadBalancer", selector={"app": "web"}),
        service("headless", clusterIP="None", selector={"app": "set"}),
        service("elsewhere", type="ExternalName", externalName="db.example"),
        service("unselective"),
        service("idle", selector={"app": "idle"}),
        obj("Deployment", "web", "apps/v1", spec={"replicas": 2, **pods("web", image)}),
        obj("Deployment", "idle", "apps/v1", spec={"replicas": 0, **pods("idle", image)}),
        obj(
            "StatefulSet", "set", "apps/v1", spec={"serviceName": "headless", **pods("set", image)}
        ),
        obj("DaemonSet", "daemon", "apps/v1", spec=pods("daemon", image)),
        obj("ReplicaSet", "bare", "apps/v1", spec=pods("bare", image)),
        obj(
            "ReplicationController",
            "old",
            spec={"selector": {"app": "old"}, "template": old["template"]},
        ),
        obj("Pod", "single", spec=pods("single", image)["template"]["spec"]),
        obj("Job", "migrate", "batch/v1", spec={"template": once}),
        obj(
            "CronJob",
            "nightly",
            "batch/v1",
            spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": once}}},
        ),
        obj(
            "PodDisruptionBudget",
            "web",
            "policy/v1",
            spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        ),
        obj(
            "Ingress",
            "web",
            "networking.k8s.io/v1",
            spec={"defaultBackend": {"service": {"name": "balanced", "port": {"number": 5000}}}},
        ),
        obj(
            "HorizontalPodAutoscaler",
            "idle",
            "autoscaling/v2",
            spec={
                "maxReplicas": 2,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "idle"},
            },
        ),
    ]


def test_a_release_of_every_kind_is_ready_when_all_of_it_is(
    k8s_cluster, k8s_deploy, k8s_image, unique
):
    release = k8s_deploy(everything(k8s_image.reference, unique))
    try:
        release.wait_ready(timeout=90)
        said = {str(ref): release.wait_ready(str(ref), timeout=1) for ref in release.refs}
    finally:
        shared = [f"namespace/{unique}", f"priorityclass/{unique}", f"pv/{unique}"]
        k8s_cluster.kubectl("delete", "--wait=false", *shared, f"storageclass/{unique}-late")
    assert {name: verdict.reason for name, verdict in said.items()} == {
        f"Namespace/{unique}": "Active",
        f"PriorityClass/{unique}": "Exists",
        f"PersistentVolume/{unique}": "Bound",
        "PersistentVolumeClaim/bound": "Bound",
        f"StorageClass/{unique}-late": "Exists",
        "PersistentVolumeClaim/unused": "WaitsForFirstConsumer",
        f"CustomResourceDefinition/{unique}.{GROUP}": "Established",
        "Boat/dinghy": "Exists",
        "ConfigMap/settings": "Exists",
        "Secret/login": "Applied",
        "ServiceAccount/robot": "Exists",
        "Role/robot": "Exists",
        "RoleBinding/robot": "Exists",
        "NetworkPolicy/open": "Exists",
        "ResourceQuota/many": "Exists",
        "Service/balanced": "HasEndpoints",
        "Service/headless": "HasEndpoints",
        "Service/elsewhere": "Exists",
        "Service/unselective": "Exists",
        "Service/idle": "ScaledToNothing",
        "Deployment/web": "Available",
        "Deployment/idle": "Available",
        "StatefulSet/set": "Ready",
        "DaemonSet/daemon": "Available",
        "ReplicaSet/bare": "Available",
        "ReplicationController/old": "Available",
        "Pod/single": "Ready",
        "Job/migrate": "Complete",
        "CronJob/nightly": "Exists",
        "PodDisruptionBudget/web": "Healthy",
        "Ingress/web": "Exists",
        "HorizontalPodAutoscaler/idle": "ScalingDisabled",
    }
    assert said["Service/balanced"].message.endswith("no address from a load balancer")
    assert "hidden" not in str(release.feed.records())


def test_a_custom_resource_is_waited_for_by_its_conditions(k8s_deploy, k8s_cluster, unique):
    release = k8s_deploy([definition(unique, "Ship"), obj("Ship", "tall", f"{GROUP}/v1", spec={})])
    release.wait_ready(timeout=10)

    def sail(status, **more):
        condition = {"type": "Ready", "status": status, **more}
        k8s_cluster.objects.patch(
            f"{GROUP}/v1",
            "Ship",
            "tall",
            {"status": {"conditions": [condition]}},
            namespace=release.namespace,
            subresource="status",
        )

    sail("False", reason="NoWind", message="the sails hang")
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready(timeout=1, holds_for=0.5)
    assert str(raised.value).startswith("Ship/tall: Ready is False: NoWind: the sails hang")
    sail("True", reason="Wind")
    assert release.wait_ready("Ship/tall", timeout=10).message == "Ready is True: Wind"


def test_names_that_are_taken_make_a_definition_impossible(k8s_deploy, unique):
    first = k8s_deploy(definition(unique, "Raft"))
    try:
        first.wait_ready(timeout=10)
        second = k8s_deploy(definition(f"{unique}s", "Raft"))
        try:
            began = time.monotonic()
            with pytest.raises(NotReadyError) as raised:
                second.wait_ready(timeout=60)
            assert time.monotonic() - began < 5
        finally:
            second.delete()
    finally:
        first.delete()
    line = str(raised.value).splitlines()[0]
    assert f"CustomResourceDefinition/{unique}s.{GROUP}: NamesAccepted is False" in line


def test_a_job_that_has_given_up_ends_the_wait(k8s_deploy, k8s_image):
    broken = pods("job", k8s_image.reference, ["python3", "-c", "exit('no such table')"],
                  restartPolicy="Never")["template"]  # fmt: skip
    spec = {"template": broken, "backoffLimit": 0}
    release = k8s_deploy(obj("Job", "migrate", "batch/v1", spec=spec))
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready(timeout=60)
    text = str(raised.value)
    assert "migrate" in text.splitlines()[0]
    assert "no such table" in text
    assert "BackoffLimitExceeded" in text


def test_a_release_of_what_only_has_to_be_there_is_ready_at_once(k8s_deploy):
    release = k8s_deploy([obj("ConfigMap", "settings"), obj("Secret", "login")])
    began = time.monotonic()
    release.wait_ready()
    assert time.monotonic() - began < 1


def test_a_rollout_that_mends_is_not_blamed_for_the_pods_before_it(
    k8s_deploy, broken_deployment, manifests
):
    broken = broken_deployment(container={"command": ["gunicron"]})
    release = k8s_deploy([broken, manifests / "service.yaml"])
    with pytest.raises(NotReadyError, match="gunicron"):
        release.wait_ready()
    mended = copy.deepcopy(broken["spec"]["template"])
    mended["spec"]["containers"][0]["command"] = ["python3", "-m", "app"]
    release.rollout("Deployment/flask", patch={"spec": {"template": mended}})
    release.wait_ready()
