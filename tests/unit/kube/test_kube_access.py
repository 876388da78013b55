"""What an account may do, asked of the API server."""

from __future__ import annotations

import pytest
from fake_apiserver import MAY_I

from seatrial.core.errors import ApiError
from seatrial.kube import Right, grouped, missing_rights, rules_allow, who_am_i

PODS = Right("", "pods", "list")
LOGS = Right("", "pods/log", "get")
DEPLOY = Right("apps", "deployments", "create")
BIND = Right("rbac.authorization.k8s.io", "clusterroles", "bind", "seatrial-namespace")


def test_what_is_missing_is_told_in_the_order_of_the_asking(fake, connection):
    fake.allows = lambda asked: asked["resource"] == "deployments"
    assert missing_rights(connection, [LOGS, DEPLOY, PODS, LOGS], "shop") == [LOGS, PODS]


def test_each_right_is_asked_for_once_as_rbac_has_it(fake, connection):
    missing_rights(connection, [LOGS, BIND, LOGS], "shop")
    asked = [seen.body["spec"]["resourceAttributes"] for seen in fake.requests]
    assert {seen.path for seen in fake.requests} == {MAY_I}
    assert sorted(asked, key=lambda one: one["resource"]) == [
        {
            "namespace": "shop", "verb": "bind", "group": "rbac.authorization.k8s.io",
            "resource": "clusterroles", "name": "seatrial-namespace",
        },
        {"namespace": "shop", "verb": "get", "resource": "pods", "subresource": "log"},
    ]  # fmt: skip


def test_without_a_namespace_it_is_about_all_of_them(fake, connection):
    missing_rights(connection, [PODS])
    assert "namespace" not in fake.requests[0].body["spec"]["resourceAttributes"]


def test_nothing_is_asked_about_nothing(fake, connection):
    assert missing_rights(connection, []) == []
    assert fake.requests == []


def test_a_server_that_does_not_say_is_an_error(fake, connection):
    fake.refuse("POST", 403, "Forbidden", "no reviews here")
    with pytest.raises(ApiError, match="say whether this account may list pods"):
        missing_rights(connection, [PODS])


def test_the_account_has_the_name_that_the_server_knows_it_by(fake, connection):
    assert who_am_i(connection) == "system:serviceaccount:ci:seatrial"


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_that_does_not_tell_the_name_is_borne_with(fake, connection, status):
    fake.refuse("POST", status)
    assert who_am_i(connection) == ""


def test_another_trouble_with_the_name_is_not(fake, connection):
    fake.refuse("POST", 500)
    with pytest.raises(ApiError):
        who_am_i(connection)


def test_rights_of_one_resource_share_a_line():
    more = Right("", "pods", "watch")
    assert grouped([PODS, DEPLOY, more, PODS, BIND]) == [
        "pods: list, watch",
        "deployments.apps: create",
        'clusterroles.rbac.authorization.k8s.io "seatrial-namespace": bind',
    ]


def rule(groups, resources, verbs, **more):
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, **more}


@pytest.mark.parametrize(
    ("given", "right", "allowed"),
    [
        (rule([""], ["pods"], ["get", "list"]), PODS, True),
        (rule([""], ["pods"], ["get"]), PODS, False),
        (rule(["apps"], ["pods"], ["list"]), PODS, False),
        (rule(["*"], ["*"], ["*"]), BIND, True),
        (rule([""], ["pods"], ["*"]), LOGS, False),
        (rule([""], ["pods/log"], ["get"]), LOGS, True),
        (rule([""], ["*/log"], ["get"]), LOGS, True),
        (rule([""], ["*"], ["get"]), LOGS, True),
        (rule([""], ["pods"], ["list"], resourceNames=["one"]), PODS, False),
        (rule([BIND.group], ["clusterroles"], ["bind"], resourceNames=[BIND.name]), BIND, True),
        (rule([BIND.group], ["clusterroles"], ["bind"], resourceNames=["other"]), BIND, False),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["*"]}, PODS, False),
    ],
)
def test_a_role_gives_a_right_by_rbacs_own_rules(given, right, allowed):
    assert rules_allow([given], right) is allowed
    assert rules_allow([rule(["x"], ["y"], ["z"]), given], right) is allowed


def test_no_rule_gives_nothing():
    assert not rules_allow([], PODS)
