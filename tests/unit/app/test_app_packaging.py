"""The Dockerfile and the manifests, as far as they can be judged without a cluster."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def manifest(name):
    return yaml.safe_load((ROOT / "fixtures" / "manifests" / f"{name}.yaml").read_text())


def violations(pod):
    """What Pod Security "restricted" has against a pod spec.

    The rules are those of the page "Pod Security Standards" of Kubernetes' documentation.
    """
    found = []
    context = pod.get("securityContext", {})
    found += [f for f in ("hostNetwork", "hostPID", "hostIPC") if pod.get(f)]
    if context.get("sysctls"):
        found.append("sysctls")
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"}
    allowed |= {"persistentVolumeClaim", "projected", "secret"}
    for volume in pod.get("volumes", []):
        found += [f"volume {kind}" for kind in volume.keys() - {"name"} - allowed]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        merged = {**context, **own}
        capabilities = own.get("capabilities", {})
        checks = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": merged.get("runAsNonRoot") is True,
            "runAsUser": merged.get("runAsUser") != 0,
            "seccompProfile": merged.get("seccompProfile", {}).get("type")
            in ("RuntimeDefault", "Localhost"),
            "capabilities.drop": "ALL" in capabilities.get("drop", []),
            "capabilities.add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
            "procMount": own.get("procMount", "Default") == "Default",
            "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
            "probe host": not any(
                container.get(probe, {}).get("httpGet", {}).get("host")
                for probe in ("startupProbe", "readinessProbe", "livenessProbe")
            ),
        }
        found += [f"{container['name']}: {name}" for name, fine in checks.items() if not fine]
    return found


def test_the_check_itself_finds_what_is_wrong():
    assert violations({"containers": [{"name": "c"}]}) == [
        "c: allowPrivilegeEscalation",
        "c: runAsNonRoot",
        "c: seccompProfile",
        "c: capabilities.drop",
    ]
    pod = {"hostPID": True, "volumes": [{"name": "v", "hostPath": {}}], "containers": []}
    assert violations(pod) == ["hostPID", "volume hostPath"]


def test_the_deployment_passes_pod_security_restricted():
    pod = manifest("deployment")["spec"]["template"]["spec"]
    assert violations(pod) == []
    assert pod["automountServiceAccountToken"] is False
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"].keys() == {"requests", "limits"}


def test_the_deployment_and_the_service_fit_each_other_and_the_application():
    deployment, service = manifest("deployment"), manifest("service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert (service["spec"]["type"], service["spec"]["ports"][0]["port"]) == ("LoadBalancer", 5000)
    assert service["spec"]["ports"][0]["targetPort"] == port["name"] == "http"
    assert port["containerPort"] == 5000
    assert (container["name"], container["image"]) == ("flask", "flask:dev")
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert {env["name"] for env in container["env"]} == {"POD_NAME", "NODE_NAME"}


def test_a_pod_has_time_to_finish_before_it_is_killed():
    pod = manifest("deployment")["spec"]["template"]["spec"]
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep + 1 < pod["terminationGracePeriodSeconds"] <= 15


@pytest.fixture(name="steps")
def dockerfile_steps():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_the_dockerfile_needs_no_buildkit(steps):
    for _, words in steps:
        assert not re.search(r"--mount|--chmod|--link|<<", words)


def test_the_base_can_be_chosen_and_only_the_last_copy_holds_the_code(steps):
    assert steps[0] == ("ARG", "BASE=python:3.12-slim")
    assert [words for step, words in steps if step == "FROM"] == [
        "${BASE} AS dependencies",
        "${BASE}",
    ]
    copies = [index for index, (step, _) in enumerate(steps) if step in ("COPY", "RUN")]
    assert steps[copies[-1]] == ("COPY", "app app")
    assert steps[copies[-1] + 1 :] == [("ARG", "BUILD_ID=dev"), ("ENV", "BUILD_ID=${BUILD_ID}")]


def test_the_extra_certificates_reach_the_first_stage_alone(steps):
    second = [index for index, (step, _) in enumerate(steps) if step == "FROM"][1]
    assert any(".seatria" in words for _, words in steps[:second])
    assert not any(".seatria" in words or "extra-ca" in words for _, words in steps[second:])
    assert [words for step, words in steps[second:] if step == "COPY" and "--from" in words] == [
        "--from=dependencies /opt/app/lib lib"
    ]


def test_it_runs_as_a_numbered_user_and_as_the_first_process(steps):
    assert ("USER", "10001:10001") in steps
    assert ("EXPOSE", "5000") in steps
    assert ("CMD", '["python3", "-m", "app"]') in steps


def test_every_dependency_is_pinned():
    lines = (ROOT / "app" / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9]+==[\d.]+", pin) for pin in pins)
    assert {"flask", "waitress"} <= {pin.partition("==")[0] for pin in pins}
