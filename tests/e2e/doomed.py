"""Deployments that cannot come up, each for a cause of its own, and what has to be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PORT = 5000
SLEEP = ["python3", "-c", "import time; time.sleep(3600)"]
SERVE = ["python3", "-m", "http.server", "--directory", "/opt", str(PORT)]


@dataclass(frozen=True)
class Case:
    """A Deployment that cannot come up, and what its failure has to say."""

    name: str
    says: tuple[str, ...]
    """What stands in the first line."""
    hint: str
    evidence: str
    container: dict[str, Any] = field(default_factory=dict)
    pod: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    mended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What its healthy twin has instead of these."""
    graces: dict[str, float] = field(default_factory=dict)
    seconds: float = 45.0
    """It has to come within so many, while sixty pods start on one node; alone it takes a few."""


def probe(path: str, **more: Any) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": PORT}, "periodSeconds": 1, **more}


def python(code: str) -> dict[str, Any]:
    return {"command": ["python3", "-c", code]}


def key_of(kind: str, name: str, key: str) -> dict[str, Any]:
    source = {f"{kind}KeyRef": {"name": name, "key": key}}
    return {"env": [{"name": "COLOUR", "valueFrom": source}]}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "data", **source}]}


def limits(**resources: Any) -> dict[str, Any]:
    return {"resources": {"limits": resources}}


MOUNT = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
#: a readiness probe that is not asked before all is over
LATER = {"readinessProbe": probe("/", initialDelaySeconds=600)}


def disk_of(operator: str, *values: str) -> dict[str, Any]:
    expression = {"key": "disk", "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        }
    }  # fmt: skip


IMAGES = (
    Case(
        "refused-registry",
        ('image "127.0.0.1:9/team/flask:1" cannot be pulled', "the registry cannot be reached"),
        "was the image loaded into this cluster",
        "connection refused",
        container={"image": "127.0.0.1:9/team/flask:1"},
    ),
    Case(
        "image-name",
        ('its image name "Team/Flask:1" cannot be parsed', "Pod/image-name-"),
        "an image name is lower case",
        "InvalidImageName",
        container={"image": "Team/Flask:1"},
    ),
)
CRASHES = (
    Case(
        "traceback",
        (
            "Deployment/traceback: container web of Pod/traceback-",
            "crashed 2 times with exit code 1",
            'last log: "RuntimeError: no database at db:5432"',
        ),
        "its log says why",
        "Traceback (most recent call last):",
        container={**python("raise RuntimeError('no database at db:5432')"), **LATER},
    ),
    Case(
        "signal",
        ("Deployment/signal: container web", "exit code 139 (SIGSEGV)"),
        "139 is a segmentation fault",
        "container web ended: exit code 139",
        container={**python("import ctypes; ctypes.string_at(0)"), **LATER},
    ),
    Case(
        "out-of-memory",
        (
            "Deployment/out-of-memory: container web",
            "for using more memory than it may (limit 48Mi)",
        ),
        "raise resources.limits.memory",
        # not the reason: the runtime misses an out-of-memory now and then (containerd#8180)
        "exit code 137",
        container={
            **LATER,
            **python("x = []\nwhile True: x.append(b'x' * (1 << 20))"),
            **limits(memory="48Mi"),
        },
        mended={"container": {"command": SLEEP, **limits(memory="48Mi")}},
    ),
    Case(
        "init",
        (
            "Deployment/init: init container prepare of Pod/init-",
            "failed 2 times with exit code 4",
            'last log: "no schema"',
        ),
        "the other containers start only after it",
        "container prepare ended: exit code 4",
        pod={"initContainers": [{"name": "prepare", **python("print('no schema'); exit(4)")}]},
        mended={"pod": {"initContainers": [{"name": "prepare", **python("print('done')")}]}},
    ),
    Case(
        "read-only",
        ("Deployment/read-only: container web", "Read-only file system: '/opt/cache'"),
        "mount an emptyDir where it writes",
        "OSError",
        container={
            **LATER,
            **python("open('/opt/cache', 'w')"),
            "securityContext": {"readOnlyRootFilesystem": True},
        },
        mended={
            "container": {
                **python("import time; open('/data/cache', 'w'); time.sleep(3600)"),
                **MOUNT,
                "securityContext": {"readOnlyRootFilesystem": True},
            },
            "pod": volume(emptyDir={}),
        },
    ),
    Case(
        "hook",
        ("Deployment/hook: container web", "its postStart hook fails"),
        "run the hook's command",
        "FailedPostStartHook",
        container={**LATER, "lifecycle": {"postStart": {"exec": {"command": ["false"]}}}},
        mended={"container": {"lifecycle": {"postStart": {"exec": {"command": ["true"]}}}}},
    ),
)
STARTS = (
    Case(
        "not-executable",
        ("Pod/not-executable-", '"/etc/passwd" may not be executed: permission denied'),
        "chmod +x",
        # the waiting reason is RunContainerError only until the kubelet backs off
        "unable to start container process",
        container={"command": ["/etc/passwd"]},
    ),
    Case(
        "as-root",
        ("Pod/as-root-", "container web has runAsNonRoot, and its runAsUser is 0"),
        "set runAsUser",
        "CreateContainerConfigError",
        container={"securityContext": {"runAsNonRoot": True, "runAsUser": 0}},
        mended={"container": {"securityContext": {"runAsNonRoot": True, "runAsUser": 1}}},
    ),
    Case(
        "config-key",
        ("Pod/config-key-", 'container web needs key "colour" of ConfigMap "look"'),
        "add the key to the ConfigMap",
        "ConfigMaps in the namespace: kube-root-ca.crt, look",
        container=key_of("configMap", "look", "colour"),
        mended={"container": key_of("configMap", "look", "color")},
    ),
    Case(
        "secret-key",
        ("Pod/secret-key-", 'container web needs key "colour" of Secret "login"'),
        "add the key to the Secret",
        "couldn't find key colour",
        container=key_of("secret", "login", "colour"),
        mended={"container": key_of("secret", "login", "color")},
    ),
    Case(
        "config-volume",
        ("Pod/config-volume-", 'volume data needs ConfigMap "nowhere", which does not exist'),
        "apply the ConfigMap into namespace",
        "FailedMount",
        container=MOUNT,
        pod=volume(configMap={"name": "nowhere"}),
        mended={"pod": volume(configMap={"name": "look"}), "container": MOUNT},
    ),
    Case(
        "config-volume-key",
        ("Pod/config-volume-key-", 'volume data needs key "colour" of ConfigMap "look"'),
        "mark the reference as optional",
        "FailedMount",
        container=MOUNT,
        pod=volume(configMap={"name": "look", "items": [{"key": "colour", "path": "x"}]}),
        mended={
            "container": MOUNT,
            "pod": volume(configMap={"name": "look", "items": [{"key": "color", "path": "x"}]}),
        },
    ),
    Case(
        "secret-volume",
        ("Pod/secret-volume-", 'volume data needs Secret "nowhere", which does not exist'),
        "apply the Secret into namespace",
        "FailedMount",
        container=MOUNT,
        pod=volume(secret={"secretName": "nowhere"}),
        mended={"pod": volume(secret={"secretName": "login"}), "container": MOUNT},
    ),
    Case(
        "runtime-class",
        ("Pod/runtime-class-", 'has no handler "seatrial-absent", which its RuntimeClass names'),
        "leave runtimeClassName out",
        "FailedCreatePodSandBox",
        pod={"runtimeClassName": "seatrial-absent"},
    ),
    Case(
        "sysctl",
        ("Pod/sysctl-", "SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
        "the kubelet of the node refuses",
        "Warning SysctlForbidden Pod/sysctl-",
        pod={"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}},
        mended={
            "pod": {
                "securityContext": {
                    "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]
                }
            }
        },
    ),
)
PROBES = (
    Case(
        "readiness",
        ("Pod/readiness-", "the readiness probe of container web fails", "statuscode: 404"),
        "the application has no /absent",
        "Readiness probe failed",
        container={"command": SERVE, "readinessProbe": probe("/absent")},
        mended={"container": {"command": SERVE, "readinessProbe": probe("/")}},
        # by itself a minute, as a slow start looks like this as well
        graces={"ProbeFailing": 10},
    ),
    Case(
        "readiness-command",
        ("Pod/readiness-command-", 'its command "curl" is not in the image'),
        "use httpGet",
        "Readiness probe errored",
        container={"readinessProbe": {"exec": {"command": ["curl", "x"]}, "periodSeconds": 1}},
        mended={"container": {"readinessProbe": {"exec": {"command": ["true"]}}}},
    ),
    Case(
        "liveness",
        ("Deployment/liveness: container web", "since its liveness probe fails"),
        "compare the probe's port and path",
        "Liveness probe failed",
        container={
            "command": SERVE,
            **LATER,
            "livenessProbe": probe("/absent", failureThreshold=1),
        },
        mended={"container": {"command": SERVE, "livenessProbe": probe("/")}},
    ),
    Case(
        "startup",
        ("Deployment/startup: container web", "since its startup probe fails"),
        "larger failureThreshold",
        "Startup probe failed",
        container={"command": SERVE, "startupProbe": probe("/absent", failureThreshold=1)},
        mended={"container": {"command": SERVE, "startupProbe": probe("/", failureThreshold=30)}},
    ),
    Case(
        "deadline",
        ("Deployment/deadline made no progress for 2 s (progressDeadlineSeconds)",),
        "look at the pods' logs",
        "Progressing is False",
        container=LATER,
        spec={"progressDeadlineSeconds": 2},
        mended={"container": {"readinessProbe": {"exec": {"command": ["true"]}}}},
    ),
)
PLACES = (
    Case(
        "greedy",
        ("Pod/greedy-", "no node has enough cpu left for its request of 1k (web)"),
        "lower the containers' requests",
        "Insufficient cpu",
        container={"resources": {"requests": {"cpu": "1k"}}},
        mended={"container": {"resources": {"requests": {"cpu": "1m"}}}},
    ),
    Case(
        "affinity",
        ("Pod/affinity-", "no node matches its node affinity disk in (ssd, nvme)"),
        "label a node accordingly",
        "has no disk",
        pod=disk_of("In", "ssd", "nvme"),
        mended={"pod": disk_of("NotIn", "ssd")},
    ),
    Case(
        "claim-missing",
        ("Pod/claim-missing-", 'it needs PersistentVolumeClaim "nowhere", which does not exist'),
        "apply the PersistentVolumeClaim",
        "FailedScheduling",
        container=MOUNT,
        pod=volume(persistentVolumeClaim={"claimName": "nowhere"}),
    ),
    Case(
        "claim-class",
        (
            "Pod/claim-class-",
            'PersistentVolumeClaim "mistyped" is not bound',
            'storage class "seatrial-fats" does not exist',
        ),
        "kubectl get storageclass",
        "ProvisioningFailed",
        container=MOUNT,
        pod=volume(persistentVolumeClaim={"claimName": "mistyped"}),
    ),
    Case(
        "claim-unbound",
        (
            "Pod/claim-unbound-",
            'PersistentVolumeClaim "classless" is not bound',
            "no PersistentVolume fits",
        ),
        "use the cluster's default class",
        "FailedBinding",
        container=MOUNT,
        pod=volume(persistentVolumeClaim={"claimName": "classless"}),
        # the volume controller may bind it up to 15 s after a volume has come
        seconds=60,
    ),
)
REFUSALS = (
    Case(
        "quota",
        (
            "Deployment/quota: its pods cannot be created: exceeded quota no-gpu",
            "requested: requests.example.com/gpu=1",
        ),
        "raise the ResourceQuota",
        "FailedCreate",
        container=limits(**{"example.com/gpu": 1}),
    ),
    Case(
        "limit-range",
        (
            "Deployment/limit-range: its pods cannot be created: outside a LimitRange",
            "maximum ephemeral-storage usage per Container is 1Gi, but limit is 2Gi",
        ),
        "into the namespace's LimitRange",
        "is forbidden",
        container=limits(**{"ephemeral-storage": "2Gi"}),
        mended={"container": limits(**{"ephemeral-storage": "100Mi"})},
    ),
    Case(
        "service-account",
        ("Deployment/service-account: its pods cannot be created", "/robot does not exist"),
        "apply the ServiceAccount",
        "FailedCreate",
        pod={"serviceAccountName": "robot"},
        mended={"pod": {"serviceAccountName": "default"}},
    ),
    Case(
        "policy",
        ("Deployment/policy: its pods cannot be created", "every pod has to say whose it is"),
        "correct the pod template",
        "ValidatingAdmissionPolicy",
        labels={"checked-by": "policy"},
        mended={"labels": {"checked-by": "policy", "team": "blue"}},
    ),
    Case(
        "webhook",
        (
            "Deployment/webhook: its pods cannot be created: an admission webhook does not answer",
            'service "absent" not found',
        ),
        "apply what serves the webhook",
        "failed calling webhook",
        labels={"checked-by": "webhook"},
        mended={"labels": {"checked-by": "nobody"}},
    ),
)
CASES = (*IMAGES, *CRASHES, *STARTS, *PROBES, *PLACES, *REFUSALS)


def deployment(
    case: Case, image: str, *, name: str = "", **parts: dict[str, Any]
) -> dict[str, Any]:
    """The Deployment of a case; `parts` go in place of the case's own."""
    name = name or case.name
    own = {"container": case.container, "pod": case.pod, "labels": case.labels, "spec": case.spec}
    chosen = parts or own
    labels = {"app": name, **chosen.get("labels", {})}
    container = {
        "name": "web",
        "image": image,
        "command": SLEEP,
        "imagePullPolicy": "IfNotPresent",
        **chosen.get("container", {}),
    }
    pod = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **chosen.get("pod", {}),
        "containers": [container],
    }
    if "initContainers" in pod:
        pod["initContainers"] = [{"image": image, **init} for init in pod["initContainers"]]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **chosen.get("spec", {}),
        },
    }


def obj(kind: str, name: str, api_version: str = "v1", **body: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def claim(name: str, storage_class: str) -> dict[str, Any]:
    return obj("PersistentVolumeClaim", name, spec={
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
    })  # fmt: skip


def surroundings() -> list[dict[str, Any]]:
    """What the Deployments find in their namespace."""
    quota = {"hard": {"requests.example.com/gpu": "0"}}
    largest = {"type": "Container", "max": {"ephemeral-storage": "1Gi"}}
    return [
        obj("ConfigMap", "look", data={"color": "red"}),
        obj("Secret", "login", stringData={"color": "red"}),
        obj("ResourceQuota", "no-gpu", spec=quota),
        obj("LimitRange", "small", spec={"limits": [largest]}),
        claim("classless", ""),
        claim("mistyped", "seatrial-fats"),
    ]


def cluster_wide(namespace: str) -> list[dict[str, Any]]:
    """What surrounds the namespace: a runtime, a policy and a webhook for its pods alone."""
    pods = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    return [
        obj("RuntimeClass", "seatrial-absent", "node.k8s.io/v1", handler="seatrial-absent"),
        obj(
            "ValidatingAdmissionPolicy",
            "seatrial-owner",
            "admissionregistration.k8s.io/v1",
            spec={
                "matchConstraints": {"resourceRules": [pods]},
                "validations": [
                    {
                        "expression": "'team' in object.metadata.labels",
                        "message": "every pod has to say whose it is, with a label team",
                    }
                ],
            },
        ),
        obj(
            "ValidatingAdmissionPolicyBinding",
            "seatrial-owner",
            "admissionregistration.k8s.io/v1",
            spec={
                "policyName": "seatrial-owner",
                "validationActions": ["Deny"],
                "matchResources": checked_by("policy", namespace),
            },
        ),
        obj(
            "ValidatingWebhookConfiguration",
            "seatrial-absent",
            "admissionregistration.k8s.io/v1",
            webhooks=[
                {
                    "name": "absent.seatrial.dev",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 1,
                    "clientConfig": {"service": {"name": "absent", "namespace": namespace}},
                    "rules": [pods],
                    **checked_by("webhook", namespace),
                }
            ],
        ),
    ]


def checked_by(who: str, namespace: str) -> dict[str, Any]:
    """Only pods of that label and namespace: other tests share the cluster."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {"matchLabels": {"checked-by": who}},
    }
