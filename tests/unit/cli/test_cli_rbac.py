"""`seatrial rbac`: what an administrator has to grant."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli import main

MANIFESTS = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
---
apiVersion: sea.dev/v1
kind: Boat
metadata: {name: ours}
---
apiVersion: batch/v1
kind: Job
metadata: {name: twice}
"""


def run(*args):
    return CliRunner().invoke(main, ["rbac", *args])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "jobs.yaml").write_text(MANIFESTS)
    return str(tmp_path)


def test_it_prints_roles_for_the_kinds_of_the_manifests(folder):
    result = run("--service-account=ci/seatrial", folder)
    assert result.exit_code == 0
    everywhere, inside, bound = yaml.safe_load_all(result.stdout)
    granted = {name: rule["verbs"] for rule in inside["rules"] for name in rule["resources"]}
    assert granted["jobs"] == ["create", "delete", "get", "list", "patch", "watch"]
    assert granted["boats"] == granted["jobs"]
    assert "nodes" not in str(everywhere)
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "seatrial", "namespace": "ci"}]


def test_nodes_and_a_pull_secret_are_asked_for(folder):
    result = run("--user=jane", "--nodes", "--pull-secret=ci/pull", folder)
    documents = list(yaml.safe_load_all(result.stdout))
    assert "nodes" in str(documents[0])
    assert [each["kind"] for each in documents[3:]] == ["Role", "RoleBinding"]
    assert documents[2]["subjects"][0]["kind"] == "User"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "whose rights are they to be?"),
        (("--user=a", "--service-account=b/c"), "whose rights are they to be?"),
        (("--service-account=b",), "--service-account=b is not NAMESPACE/NAME"),
        (("--user=a", "--pull-secret=b"), "--pull-secret=b is not NAMESPACE/NAME"),
        (("--user=a", "/nowhere/at/all"), "manifest /nowhere/at/all does not exist"),
    ],
)
def test_what_cannot_be_is_told(args, said):
    result = run(*args)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output
