"""Kubeconfigs of others: one context is taken out, by kubectl's own rules."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from seatrial.core.errors import ConfigurationError
from seatrial.kube import IN_CLUSTER, default_paths, find_target
from seatrial.kube.kubeconfig import in_cluster, read


def config(path, *contexts, current="", users=None, clusters=None):
    """A kubeconfig with contexts `name`, each of a cluster and a user of that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "current-context": current,
        "contexts": [
            {"name": each, "context": {"cluster": each, "user": each, "namespace": "theirs"}}
            for each in contexts
        ],
        "clusters": [
            {"name": each, "cluster": {"server": f"https://{each}:6443", **(clusters or {})}}
            for each in contexts
        ],
        "users": [{"name": each, "user": {"token": f"of-{each}", **(users or {})}}
                  for each in contexts],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(document))
    return path


def user_of(target):
    [entry] = target.document["users"]
    return entry["user"]


def test_the_context_that_is_named_is_taken_alone(tmp_path):
    target = find_target([config(tmp_path / "c", "one", "two", current="one")], "two")
    assert (target.context, target.cluster, target.server) == ("two", "two", "https://two:6443")
    assert target.source == str(tmp_path / "c")
    assert [each["name"] for each in target.document["contexts"]] == ["two"]
    assert user_of(target) == {"token": "of-two"}
    assert target.document["current-context"] == "two"


def test_what_runs_without_a_namespace_does_not_hit_the_users_own(tmp_path):
    target = find_target([config(tmp_path / "c", "one", current="one")])
    assert target.document["contexts"][0]["context"] == {"cluster": "one", "user": "one"}


def test_secrets_are_not_in_what_is_printed_of_a_target(tmp_path):
    assert "of-one" not in repr(find_target([config(tmp_path / "c", "one", current="one")]))


def test_the_first_file_to_have_an_entry_wins(tmp_path):
    first = config(tmp_path / "a", "one", users={"token": "first"})
    second = config(tmp_path / "b", "one", "two", current="one", users={"token": "second"})
    target = find_target([first, second])
    assert target.context == "one"
    assert user_of(target) == {"token": "first"}
    assert user_of(find_target([first, second], "two")) == {"token": "second"}


def test_files_are_relative_to_the_kubeconfig_and_become_data(tmp_path):
    for name in ("ca", "cert", "key"):
        (tmp_path / "pki").mkdir(exist_ok=True)
        (tmp_path / "pki" / name).write_text(name)
    path = config(
        tmp_path / "c", "one", current="one",
        clusters={"certificate-authority": "pki/ca"},
        users={"client-certificate": "pki/cert", "client-key": str(tmp_path / "pki" / "key")},
    )  # fmt: skip
    target = find_target([path])
    cluster = target.document["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"ca"
    assert base64.b64decode(user_of(target)["client-certificate-data"]) == b"cert"
    assert base64.b64decode(user_of(target)["client-key-data"]) == b"key"
    assert "client-key" not in user_of(target)


def test_data_wins_over_a_file_of_the_same(tmp_path):
    path = config(
        tmp_path / "c", "one", current="one",
        users={"client-key": "gone", "client-key-data": "eA=="},
    )  # fmt: skip
    assert user_of(find_target([path]))["client-key-data"] == "eA=="


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = config(tmp_path / "c", "one", current="one", users={"client-key": "gone"})
    with pytest.raises(ConfigurationError, match=f"names the file {tmp_path}/gone"):
        find_target([path])


def test_a_tokens_file_stays_a_file_and_wins_over_a_token(tmp_path):
    path = config(tmp_path / "c", "one", current="one", users={"tokenFile": "renewed"})
    assert user_of(find_target([path])) == {"tokenFile": str(tmp_path / "renewed")}


@pytest.mark.parametrize(
    ("command", "absolute"), [("./login", True), ("login", False), ("/bin/login", True)]
)
def test_a_plugin_with_a_path_is_relative_to_the_kubeconfig(tmp_path, command, absolute):
    path = config(tmp_path / "c", "one", current="one", users={"exec": {"command": command}})
    target = find_target([path])
    assert target.plugin == (str(tmp_path / command) if absolute else command)


@pytest.mark.parametrize(
    ("wanted", "cause", "way_out"),
    [
        ("staeging", "has no context 'staeging'", "did you mean"),
        ("x", "has no context 'x'", "--seatrial-context=…"),
        ("", "has no current context", "--seatrial-context=…"),
    ],
)
def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path, wanted, cause, way_out):
    with pytest.raises(ConfigurationError) as raised:
        find_target([config(tmp_path / "c", "staging", "production")], wanted)
    assert cause in raised.value.cause
    assert "it has: staging, production" in str(raised.value)
    assert way_out in raised.value.hint


@pytest.mark.parametrize(
    ("drop", "cause"),
    [
        ("clusters", "names cluster 'one', which is not in it"),
        ("users", "names user 'one', which is not in it"),
    ],
)
def test_a_context_that_leads_nowhere_is_told(tmp_path, drop, cause):
    path = config(tmp_path / "c", "one", current="one")
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, drop: []}))
    with pytest.raises(ConfigurationError, match=cause):
        find_target([path])


def test_a_cluster_without_a_server_is_told(tmp_path):
    path = config(tmp_path / "c", "one", current="one", clusters={"server": ""})
    with pytest.raises(ConfigurationError, match="which has no server"):
        find_target([path])


@pytest.mark.parametrize(
    ("text", "cause"),
    [("", "is empty, or no kubeconfig"), ("- a", "is empty"), ("a: [", "is not YAML")],
)
def test_what_is_no_kubeconfig_is_told(tmp_path, text, cause):
    (tmp_path / "c").write_text(text)
    with pytest.raises(ConfigurationError, match=cause):
        read(tmp_path / "c")


def test_kubectls_own_places_are_looked_at(tmp_path):
    home = config(tmp_path / ".kube" / "config", "one")
    other = config(tmp_path / "other", "one")
    assert default_paths({"HOME": str(tmp_path)}) == (home,)
    named = {"HOME": str(tmp_path), "KUBECONFIG": f"{other}::{tmp_path}/gone"}
    assert default_paths(named) == (other,)


def token(**claims):
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (token(exp=1_000_000_000), "2001-09-09 01:46 UTC"),
        (token(exp=99_999_999_999), ""),
        (token(), ""),
        ("not.a.token", ""),
        ("opaque", ""),
    ],
)
def test_a_token_whose_time_is_over_says_when(tmp_path, given, said):
    path = config(tmp_path / "c", "one", current="one", users={"token": given})
    assert find_target([path]).expired == said


def account(folder):
    folder.mkdir()
    (folder / "token").write_text("t")
    (folder / "ca.crt").write_text("ca")
    return folder


@pytest.mark.parametrize(
    ("host", "server"),
    [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")],
)
def test_a_pod_has_the_cluster_that_it_runs_in(tmp_path, host, server):
    place = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    target = in_cluster(place, account(tmp_path / "account"))
    assert (target.context, target.server) == (IN_CLUSTER, server)
    # the kubelet writes a new token into it
    assert user_of(target) == {"tokenFile": str(tmp_path / "account" / "token")}


def test_a_process_that_is_no_pod_has_none(tmp_path):
    assert in_cluster({}, account(tmp_path / "account")) is None
    place = {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}
    assert in_cluster(place, tmp_path / "nowhere") is None
