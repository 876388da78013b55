"""A session on a cluster that was there before: it is found there afterwards as well."""

from __future__ import annotations

import pytest

from seatrial.cluster.rights import RBAC
from seatrial.core.errors import EngineError

USES = """
def test_it(k8s_cluster, k8s_namespace):
    assert k8s_cluster.name == "fake"
    assert k8s_cluster.kind_path is None
    assert k8s_cluster.kubectl_path.name == "k"
    assert list(k8s_cluster.events(k8s_namespace)) == []
"""


@pytest.fixture
def run(machine, tmp_path, monkeypatch):
    """Runs the tests with the API server as an existing cluster."""
    machine.api.resources[f"{RBAC}/v1"] = [("RoleBinding", "rolebindings", True)]
    theirs = machine.api.kubeconfig(tmp_path / "theirs", user={"token": "t"})
    (tmp_path / "k").write_text("#!/bin/sh\n")
    (tmp_path / "k").chmod(0o755)

    def no_engine(wanted):
        raise EngineError("no Docker engine answers")

    monkeypatch.setattr("seatrial.setup.provision.connect", no_engine)

    def run(*args, source=USES):
        before = theirs.read_bytes()
        result = machine.tests(
            source, "--seatrial-provider=existing", f"--seatrial-kubeconfig={theirs}",
            f"--seatrial-kubectl={tmp_path / 'k'}", f"--seatrial-state-dir={tmp_path / 'state'}",
            *args,
        )  # fmt: skip
        assert theirs.read_bytes() == before
        left = [each for each in (tmp_path / "state" / "existing").iterdir() if each.is_dir()]
        assert left == []
        return result

    return run


@pytest.mark.parametrize("keep", ["never", "on-failure", "always"])
def test_it_is_used_without_an_engine_and_never_deleted(machine, run, keep):
    run("--seatrial-allowed-contexts=sea", f"--seatrial-keep={keep}").assert_outcomes(passed=1)
    assert machine.log == [], "no machine is prepared, no cluster made or deleted"
    assert machine.api.namespaces() == []


def test_it_is_refused_unless_it_is_allowed(machine, run):
    result = run("--seatrial-allowed-contexts=another")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is not one that tests may run on", "*allowed ones: another"])
    assert machine.api.namespaces() == []


def test_an_allowed_context_may_stand_in_the_ini_file(machine, run):
    machine.ini(seatrial_allowed_contexts="\n  other\n  se*")
    run().assert_outcomes(passed=1)
