"""Slow is not broken: starts that take their time are waited for, on a real cluster."""

from __future__ import annotations

import threading
import time

from test_readiness_kinds import obj, pods

#: seconds
SLOW, INIT, LATE = 15, 8, 6


def later(seconds, do):
    """Do something while the test waits. Real time has to pass: that is what is tested."""
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


def python(code):
    return ["python3", "-c", code]


def test_slow_healthy_starts_are_waited_for(k8s_deploy, k8s_image, broken_deployment):
    """All at once, so that it costs as long as the slowest."""
    image = k8s_image.reference
    wait = python(f"import time; time.sleep({INIT})")
    init = {"name": "prepare", "image": image, "command": wait}
    # its readiness probe says 503 for so long, every 2 s
    slow = broken_deployment(
        container={"env": [{"name": "READY_DELAY_SECONDS", "value": str(SLOW)}]},
        spec={"initContainers": [init]},
    )
    # nothing listens for so long: readiness and startup probes are refused
    deaf = pods("deaf", image, python(
        f"import time; time.sleep({SLOW})\nimport http.server as h\n"
        "h.HTTPServer(('', 5000), h.SimpleHTTPRequestHandler).serve_forever()"
    ))  # fmt: skip
    ask = {"tcpSocket": {"port": 5000}, "periodSeconds": 1}
    deaf["template"]["spec"]["containers"][0] |= {
        "readinessProbe": {**ask, "failureThreshold": 1},
        "startupProbe": {**ask, "failureThreshold": 60},
        "livenessProbe": ask,
    }
    # crashes once, as what waits for its database does
    once = pods("once", image, python(
        "import os, time\n"
        "if not os.path.exists('/data/been'): open('/data/been', 'w'); time.sleep(1); exit(1)\n"
        "time.sleep(3600)"
    ))  # fmt: skip
    spec = once["template"]["spec"]
    spec["volumes"] = [{"name": "data", "emptyDir": {}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    spec["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 3
    release = k8s_deploy([
        slow,
        obj("Deployment", "deaf", "apps/v1", spec=deaf),
        obj("Deployment", "once", "apps/v1", spec=once),
    ])  # fmt: skip
    began = time.monotonic()
    release.wait_ready(timeout=90)
    assert time.monotonic() - began > SLOW


def needs(name, kind):
    source = {f"{kind}KeyRef": {"name": name, "key": "colour"}}
    return [{"name": "COLOUR", "valueFrom": source}]


def test_what_a_deployment_needs_may_come_after_it(k8s_deploy, k8s_image):
    """A ConfigMap and a Secret in the environment, and a ConfigMap as a volume, seconds late."""
    image = k8s_image.reference
    deployments = []
    for kind in ("configMap", "secret"):
        spec = pods(kind.lower(), image)
        spec["template"]["spec"]["containers"][0]["env"] = needs("look", kind)
        deployments.append(obj("Deployment", kind.lower(), "apps/v1", spec=spec))
    mounted = pods("mounted", image)
    mounted["template"]["spec"]["volumes"] = [{"name": "look", "configMap": {"name": "look"}}]
    deployments.append(obj("Deployment", "mounted", "apps/v1", spec=mounted))
    claimed = pods("account", image, serviceAccountName="robot")
    deployments.append(obj("Deployment", "account", "apps/v1", spec=claimed))
    release = k8s_deploy(deployments)
    late = later(LATE, lambda: k8s_deploy([
        obj("ConfigMap", "look", data={"colour": "blue"}),
        obj("Secret", "look", stringData={"colour": "blue"}),
    ]))  # fmt: skip
    account = later(3, lambda: k8s_deploy(obj("ServiceAccount", "robot")))
    try:
        release.wait_ready(timeout=90)
    finally:
        late.join()
        account.join()


def test_a_restart_that_is_planned_is_waited_for(k8s_deploy, k8s_image):
    spec = pods("twice", k8s_image.reference, python(
        "import os, time\n"
        "runs = len(os.listdir('/data')); open(f'/data/{runs}', 'w')\n"
        "if runs < 2: exit(1)\n"
        "time.sleep(3600)"
    ))  # fmt: skip
    pod = spec["template"]["spec"]
    pod["volumes"] = [{"name": "data", "emptyDir": {}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    release = k8s_deploy(obj("Deployment", "twice", "apps/v1", spec=spec))
    release.wait_ready(timeout=90, expect_restarts=1)


def test_a_quota_that_is_freed_in_time_is_waited_for(k8s_deploy, k8s_image):
    k8s_deploy(obj("ResourceQuota", "small", spec={"hard": {"pods": "1"}}))
    spec = pods("web", k8s_image.reference)
    first = k8s_deploy(obj("Pod", "first", spec=spec["template"]["spec"]))
    first.wait_ready(timeout=60)
    second = k8s_deploy(obj("Deployment", "second", "apps/v1", spec=spec))
    freed = later(4, first.delete)
    try:
        second.wait_ready(timeout=60)
    finally:
        freed.join()
