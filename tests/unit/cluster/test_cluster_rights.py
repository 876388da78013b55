"""The rights that the docs ask for are those that the code needs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from seatrial.cluster import access_manifests, binding, rights
from seatrial.harness.cluster import SHARED, WATCHED
from seatrial.kube import conventional, rules_allow
from seatrial.manifests import load

ROOT = Path(__file__).parents[3]
ACCOUNT = "system:serviceaccount:ci:seatrial"
PULL = "ci/pull"


def kinds_of(folder):
    return list(dict.fromkeys(conventional(m.kind, m.api_version) for m in load(folder)))


def by_name(objects):
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_the_docs_have_what_the_command_prints():
    text = (ROOT / "docs" / "existing.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    made = access_manifests(ACCOUNT, kinds_of(ROOT / "fixtures" / "manifests"))
    assert block == yaml.safe_dump_all(made, sort_keys=False)


def test_all_that_is_watched_may_be_watched():
    """What `harness` opens streams for, against what is asked for beforehand."""
    for kind, version in WATCHED:
        resource = conventional(kind, version)
        asked = rights.NODES if kind in SHARED else rights.IN_NAMESPACES
        needed = {(resource.group, resource.plural, verb) for verb in ("list", "watch")}
        assert needed <= {(right.group, right.resource, right.verb) for right in asked}


def test_the_roles_give_all_that_is_asked_for():
    roles = by_name(access_manifests(ACCOUNT, [], nodes=True, pull_secret=PULL))
    everywhere = roles["ClusterRole", rights.CLUSTER_ROLE]["rules"]
    for right in (*rights.EVERYWHERE, *rights.BINDING, *rights.NODES):
        assert rules_allow(everywhere, right), right
    inside = roles["ClusterRole", rights.NAMESPACE_ROLE]["rules"]
    for right in (*rights.IN_NAMESPACES, *rights.PULLING):
        assert rules_allow(inside, right), right
        assert not rules_allow(everywhere, right), right


def test_nodes_and_secrets_are_not_in_it_unless_asked_for():
    for role in access_manifests(ACCOUNT, kinds_of(ROOT / "fixtures" / "manifests"))[:2]:
        for right in (*rights.NODES, *rights.SECRETS, *rights.PULLING):
            assert not rules_allow(role["rules"], right), right


def test_what_manifests_hold_may_be_applied_and_what_lives_in_no_namespace_everywhere():
    secret, storage = (
        conventional("Secret", "v1"),
        conventional("StorageClass", "storage.k8s.io/v1"),
    )
    roles = by_name(access_manifests(ACCOUNT, [secret, storage]))
    inside = roles["ClusterRole", rights.NAMESPACE_ROLE]["rules"]
    everywhere = roles["ClusterRole", rights.CLUSTER_ROLE]["rules"]
    for right in rights.manifest_rights(secret):
        assert rules_allow(inside, right)
        assert right.verb not in ("list", "watch"), "Secrets are not watched"
    verbs = {
        right.verb for right in rights.manifest_rights(storage) if rules_allow(everywhere, right)
    }
    assert verbs == {"get", "create", "patch", "delete", "list", "watch"}


def test_a_pull_secret_may_be_read_and_no_other():
    made = access_manifests(ACCOUNT, [], pull_secret=PULL)
    role = by_name(made)["Role", "seatrial-pull-secret"]
    assert role["metadata"]["namespace"] == "ci"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pull"], "verbs": ["get"]}
    ]
    bound = by_name(made)["RoleBinding", "seatrial-pull-secret"]
    assert bound["metadata"] == {"name": "seatrial-pull-secret", "namespace": "ci"}
    assert bound["roleRef"]["kind"] == "Role"
    assert bound["subjects"][0]["name"] == "seatrial"


def test_a_role_is_bound_to_a_service_account_or_a_user():
    bound = binding("seatrial-namespace", ACCOUNT, {"a": "b"})
    assert bound["metadata"] == {"name": "seatrial-namespace", "labels": {"a": "b"}}
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "seatrial", "namespace": "ci"}]
    [user] = binding("seatrial-namespace", "jane", {})["subjects"]
    assert (user["kind"], user["name"]) == ("User", "jane")
