"""A cluster that is there already: whether it may be used, and what we may do on it."""

from __future__ import annotations

import pytest
import yaml
from cluster_fakes import Said
from fake_apiserver import FakeApiServer

from seatrial.cluster import ALLOWED_LABEL, ClusterOptions, ExistingProvider, access_manifests
from seatrial.cluster.rights import RBAC
from seatrial.core.errors import ApiError, ClusterError, ConfigurationError

ACCOUNT = "system:serviceaccount:ci:seatrial"
PULL = "ci/pull"
KINDS = ("pods", "services", "namespaces", "rolebindings", "clusterroles", "nodes", "secrets")


@pytest.fixture
def api():
    server = FakeApiServer()
    server.resources[f"{RBAC}/v1"] = [
        ("ClusterRole", "clusterroles", False), ("RoleBinding", "rolebindings", True)
    ]  # fmt: skip
    yield server
    server.close()


@pytest.fixture
def make(api, tmp_path):
    """Makes the provider; `environment` has nothing of this machine's in it."""
    path = api.kubeconfig(tmp_path / "theirs", user={"token": "t"})

    def make(**more):
        given = {"kubeconfig": (path,), "allowed_contexts": ("sea",), "environment": {}, **more}
        return ExistingProvider(tmp_path / "state", **given)

    return make


def ensure(provider, said=None, **options):
    return provider.ensure(ClusterOptions(**options), said or Said())


def grants(api, *, role=True, binding=True):
    """As the docs have it: rights everywhere, and a role to be bound in each namespace."""
    made = {each["metadata"]["name"]: each for each in access_manifests(ACCOUNT, [])[:2]}
    if role:
        api.put({**made["seatrial-namespace"], "kind": "ClusterRole"})
    everywhere = [(g, r, v) for rule in made["seatrial"]["rules"] for g in rule["apiGroups"]
                  for r in rule["resources"] for v in rule["verbs"]]  # fmt: skip
    api.allows = lambda asked: (
        (binding or asked["resource"] not in ("rolebindings", "clusterroles"))
        and "subresource" not in asked
        and (asked.get("group", ""), asked["resource"], asked["verb"]) in everywhere
    )


def copies(tmp_path):
    return [each for each in (tmp_path / "state" / "existing").iterdir() if each.is_dir()]


def test_a_cluster_whose_context_is_allowed_is_given(make, tmp_path):
    said = Said()
    cluster = ensure(make(), said)
    assert (cluster.name, cluster.provider, cluster.nodes) == ("fake", "existing", ())
    assert cluster.host_port(30000) is None
    assert "cluster fake may be used: its context sea is allowed by sea" in said.lines
    assert cluster.tenancy.account == ACCOUNT
    # all of it holds everywhere, so nothing has to be bound
    assert cluster.tenancy.role == ""
    assert cluster.tenancy.sees_nodes
    assert yaml.safe_load(cluster.kubeconfig_path.read_text())["current-context"] == "sea"
    assert copies(tmp_path) == [cluster.kubeconfig_path.parent]
    cluster.tenancy.end()
    assert copies(tmp_path) == []


def test_the_users_kubeconfig_is_read_alone(make, tmp_path):
    before = (tmp_path / "theirs").read_bytes()
    ensure(make()).tenancy.end()
    assert (tmp_path / "theirs").read_bytes() == before


@pytest.mark.parametrize("pattern", ["sea", "s*", "[rs]ea"])
def test_a_context_is_allowed_by_name_or_glob(make, pattern):
    ensure(make(allowed_contexts=("other", pattern))).tenancy.end()


@pytest.mark.parametrize("allowed", [(), ("se",), ("prod*", "SEA")])
def test_a_context_that_is_not_allowed_is_refused_and_nothing_is_written(
    make, api, tmp_path, allowed
):
    api.put({"kind": "Namespace", "metadata": {"name": "kube-system", "labels": {}}})
    with pytest.raises(ClusterError) as raised:
        ensure(make(allowed_contexts=allowed))
    text = str(raised.value)
    assert "cluster fake (http://127.0.0.1:" in raised.value.cause
    assert "context sea) is not one that tests may run on" in raised.value.cause
    assert f"is not among the allowed ones: {', '.join(allowed) or 'none'}" in text
    assert f"namespace kube-system does not carry the label {ALLOWED_LABEL}=true" in text
    assert "--seatrial-allowed-contexts=sea" in text
    assert f"kubectl --context=sea label namespace kube-system {ALLOWED_LABEL}=true" in text
    assert {seen.method for seen in api.requests} == {"GET"}
    assert copies(tmp_path) == []


def test_a_cluster_that_carries_the_label_may_be_used(make, api):
    labels = {ALLOWED_LABEL: "true"}
    api.put({"kind": "Namespace", "metadata": {"name": "kube-system", "labels": labels}})
    said = Said()
    ensure(make(allowed_contexts=()), said).tenancy.end()
    assert f"cluster fake may be used: it carries the label {ALLOWED_LABEL}" in said.lines


def test_a_label_that_may_not_be_read_marks_nothing(make, api):
    api.refuse("read", 403, "Forbidden", where=lambda seen: "namespaces" in seen.path)
    with pytest.raises(ClusterError, match="is not one that tests may run on") as raised:
        ensure(make(allowed_contexts=()))
    assert "its label could not be read" in raised.value.details


def test_an_account_that_can_bind_the_role_gets_it_in_each_namespace(make, api):
    grants(api)
    said = Said()
    cluster = ensure(make(registry="r.example/t", pull_registry="in.example"), said)
    tenancy = cluster.tenancy
    assert (tenancy.account, tenancy.role) == (ACCOUNT, "seatrial-namespace")
    assert (tenancy.registry, tenancy.pull_registry) == ("r.example/t", "in.example")
    assert not tenancy.sees_nodes
    assert any(line.startswith("nodes may not be watched") for line in said.lines)
    assert any(line.startswith("secrets may not be read") for line in said.lines)
    tenancy.end()


def refused(provider):
    with pytest.raises(ClusterError) as raised:
        ensure(provider)
    return raised.value


def test_an_account_without_rights_is_told_all_of_them_at_once(make, api):
    api.allows = lambda _: False
    error = refused(make())
    assert error.cause.startswith(f"account {ACCOUNT} lacks rights on cluster fake")
    lines = error.details.splitlines()
    assert "namespaces: create, get, delete in all of the cluster" in lines
    assert "pods/log: get in the namespaces of tests" in lines
    assert not any(line.startswith(("nodes", "secrets")) for line in lines), "it does without"
    assert "seatrial rbac --service-account=ci/seatrial MANIFESTS | kubectl apply" in error.hint


def test_a_role_that_is_not_there_lacks_everything(make, api):
    grants(api, role=False)
    assert "pods: get, list, watch in ClusterRole seatrial-namespace" in refused(make()).details


def test_a_role_that_lacks_something_is_told_what(make, api):
    grants(api)
    role = api.objects["ClusterRole", "", "seatrial-namespace"]
    api.put({**role, "rules": [r for r in role["rules"] if "pods/log" not in r["resources"]]})
    assert refused(make()).details == "pods/log: get in ClusterRole seatrial-namespace"


def test_half_a_right_to_bind_is_told_to_be_half(make, api):
    grants(api)
    before = api.allows
    api.allows = lambda asked: asked["verb"] != "bind" and before(asked)
    assert refused(make()).details == (
        f'clusterroles.{RBAC} "seatrial-namespace": bind in all of the cluster'
    )


def test_a_pull_secret_takes_more_rights(make, api):
    grants(api)
    error = refused(make(pull_secret=PULL))
    assert "secrets: create in ClusterRole seatrial-namespace" in error.details
    assert 'secrets "pull": get in namespace ci' in error.details
    assert "--pull-secret=ci/pull" in error.hint


def test_a_user_is_named_as_one(make, api):
    api.account, api.allows = "jane doe", lambda _: False
    assert "seatrial rbac --user='jane doe' MANIFESTS" in refused(make()).hint


def test_a_server_that_is_away_is_told(make, api):
    api.stop_listening()
    error = refused(make())
    assert "cannot be reached" in error.cause
    assert "a VPN, a proxy" in error.hint
    assert isinstance(error.__cause__, ApiError)


def test_credentials_that_are_not_good_are_told(make, api):
    api.refuse("read", 401, "Unauthorized")
    error = refused(make())
    assert "does not accept the credentials of its context (any more)" in error.cause
    assert "kubectl --context=sea auth whoami" in error.hint


def test_another_trouble_is_told_as_it_is(make, api):
    api.refuse("read", 500, times=2)
    with pytest.raises(ApiError):
        ensure(make())


def test_options_of_a_cluster_count_for_nothing_and_that_is_said(make):
    said = Said()
    ensure(make(), said, workers=2).tenancy.end()
    assert "an existing cluster is taken as it is: its options count for nothing" in said.lines


def test_it_is_never_deleted_listed_or_found(make):
    provider = make()
    assert provider.list() == ()
    assert provider.find("fake") is None
    with pytest.raises(ClusterError, match="never deleted"):
        provider.delete("fake", Said())


def test_a_kubeconfig_that_is_not_there_is_named(make, tmp_path):
    with pytest.raises(ConfigurationError, match=r"there is no kubeconfig .*gone"):
        make(kubeconfig=(tmp_path / "gone",)).target()


def test_without_one_kubectls_own_is_read(make, tmp_path):
    environment = {"KUBECONFIG": str(tmp_path / "theirs")}
    assert make(kubeconfig=(), environment=environment).target().context == "sea"


def test_a_machine_without_any_is_told(make, tmp_path):
    with pytest.raises(ConfigurationError, match="no kubeconfig was named") as raised:
        make(kubeconfig=(), environment={"HOME": str(tmp_path)}).target()
    assert "--seatrial-kubeconfig=" in raised.value.hint
