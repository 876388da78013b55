"""What must not be written down is not, and what is judged by stays."""

from __future__ import annotations

import base64
import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.core.model import ObjectRef, Snapshot
from seatrial.core.redaction import HIDDEN, Redactor
from seatrial.core.secrets_in_text import hide, looks_secret
from seatrial.readiness import diagnose, status

sys.path.insert(0, str(Path(__file__).parent.parent / "readiness"))
from readiness_objects import load, root_of, snapshot_of

CANARY = "s3cr3t-c4nary"
ENCODED = base64.b64encode(CANARY.encode()).decode()
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{CANARY}\n{CANARY}\n-----END RSA PRIVATE KEY-----"
JWT = f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(CANARY.encode()).decode()}.{CANARY}"
DOCKER = json.dumps({"auths": {"r.example": {"username": "u", "password": CANARY, "auth": CANARY}}})


def pod(*, container=None, status=None, annotations=None, **spec):
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "flask", "annotations": annotations or {}},
        "spec": {"containers": [{"name": "flask", **(container or {})}], **spec},
        "status": {"containerStatuses": [{"name": "flask", **(status or {})}]},
    }  # fmt: skip


def env(name, value):
    return pod(container={"env": [{"name": name, "value": value}]})


def args(*words):
    return pod(container={"args": list(words)})


def said(message):
    return {"apiVersion": "v1", "kind": "Event", "reason": "Failed", "message": message}


def custom(**spec):
    return {
        "apiVersion": "shop.example/v1",
        "kind": "Till",
        "metadata": {"name": "t"},
        "spec": spec,
    }


def header(name, value):
    probe = {"httpGet": {"path": "/", "httpHeaders": [{"name": name, "value": value}]}}
    return pod(container={"readinessProbe": probe})


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "look"}}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

PLACES = {
    "Secret data": {**SECRET, "data": {"user": ENCODED}},
    "Secret stringData": {**SECRET, "stringData": {"user": CANARY}},
    "ConfigMap data": {**CONFIG, "data": {"colour": CANARY}},
    "ConfigMap binaryData": {**CONFIG, "binaryData": {"logo": ENCODED}},
    "pull secret": {
        **SECRET, "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(DOCKER.encode()).decode()},
    },
    "Secret in a List": {"apiVersion": "v1", "kind": "List", "items": [
        {**SECRET, "data": {"user": ENCODED}}]},
    "Secret in a custom resource": custom(manifest={**SECRET, "stringData": {"user": CANARY}}),
    "Secret in last-applied": {**SECRET, "metadata": {"name": "db", "annotations": {
        LAST_APPLIED: json.dumps({**SECRET, "stringData": {"user": CANARY}})}}},
    "last-applied that is cut off": pod(annotations={LAST_APPLIED: '{"spec":{"x":"' + CANARY}),
    "Secret in another annotation": pod(annotations={
        "kapp.k14s.io/original": json.dumps({**SECRET, "stringData": {"user": CANARY}})}),
    "annotation by name": pod(annotations={"shop.example/api-token": CANARY}),
    "annotation by text": pod(annotations={"note": f"password: {CANARY}"}),
    "env by name": env("DB_PASSWORD", CANARY),
    "env by camel case": env("apiKey", CANARY),
    "env by abbreviation": env("PGPASS", f"password={CANARY}"),
    "env by word": env("APP_KEY", CANARY),
    "env by url": env("DATABASE_URL", f"postgres://u:{CANARY}@db/shop"),
    "env by url with a slash": env("DATABASE_URL", f"postgres://u:a/{CANARY}@db/shop"),
    "env by url without a name": env("REPOSITORY", f"https://{CANARY}@git.example/x"),
    "env by connection string": env("SQL", f"Server=db;User Id=u;Password={CANARY};Encrypt=no"),
    "env by JSON": env("CONFIG", json.dumps({"db": {"password": CANARY}})),
    "env by JSON in JSON": env("CONFIG", json.dumps({"x": json.dumps({"token": CANARY})})),
    "env of an init container": pod(initContainers=[
        {"name": "init", "env": [{"name": "TOKEN", "value": CANARY}]}]),
    "env of an ephemeral container": pod(ephemeralContainers=[
        {"name": "debug", "env": [{"name": "TOKEN", "value": CANARY}]}]),
    "env in a Deployment": {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {
        "spec": {"containers": [{"env": [{"name": "SECRET_KEY_BASE", "value": CANARY}]}]}}}},
    "env in a CronJob": {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {
        "spec": {"template": {"spec": {"containers": [
            {"env": [{"name": "CREDENTIALS", "value": CANARY}]}]}}}}}},
    "argument with =": args("serve", f"--password={CANARY}"),
    "argument before its value": args("serve", "--api-token", CANARY),
    "argument before a value like an option": args("serve", "--password", f"-{CANARY}"),
    "argument with quotes": args(f'--client-secret="{CANARY} {CANARY}"'),
    "argument in a shell": args("sh", "-c", f"TOKEN={CANARY} exec serve --password '{CANARY}'"),
    "argument of curl": args("curl", "-u", f"bob:{CANARY}", "http://shop"),
    "argument of curl in one word": args("curl", f"-ubob:{CANARY}", "http://shop"),
    "argument of curl in a shell": args("sh", "-c", f"curl --user bob:{CANARY} http://shop"),
    "argument of mysql": args("mysql", "-uroot", f"-p{CANARY}"),
    "argument of mysql in a shell": args("sh", "-c", f"mysqladmin -uroot -p{CANARY} ping"),
    "argument of sshpass": args("sshpass", "-p", CANARY, "ssh", "host"),
    "argument of redis-cli": args("redis-cli", "-a", CANARY),
    "argument of redis-cli in a shell": args("sh", "-c", f"redis-cli -h db -a {CANARY} ping"),
    "command": pod(container={"command": ["serve", f"--auth={CANARY}"]}),
    "command of a probe": pod(container={"livenessProbe": {"exec": {
        "command": ["check", "--passphrase", CANARY]}}}),
    "header of a probe": header("Authorization", f"Basic {ENCODED}"),
    "header of a probe by name": header("X-Api-Key", CANARY),
    "cookie of a probe": header("Cookie", f"session={CANARY}"),
    "message: bearer": said(f"refused: Bearer {CANARY}"),
    "message: authorization": said(f"sent 'Authorization: token {CANARY}'"),
    "message: basic": said("sent Basic " + base64.b64encode(f"u:{CANARY}".encode()).decode()),
    "message: cookie": said(f"Set-Cookie: sid={CANARY}; HttpOnly"),
    "message: JWT": said(f"cannot verify {JWT}"),
    "message: private key": said(f"cannot parse {PEM}"),
    "message: private key that is cut off": said(PEM.partition("-----END")[0]),
    "message: URL": said(f'Get "https://u:{CANARY}@r.example/v2/": EOF'),
    "message: query": said(f"GET /x?a=1&access_token={CANARY}&b=2"),
    "message: signature": said(f"GET /x?sv=1&sig={CANARY}"),
    "message: JSON": said(f'rejected {{"user": "u", "password": "{CANARY}"}}'),
    "message: escaped JSON": said(f'rejected {{\\"password\\": \\"{CANARY}\\"}}'),
    "message: number": said('{"pin": 4711, "x": 1}').copy() | {"message": f'{{"otp":"{CANARY}"}}'},
    "message: Python": said(f"{{'secret_key': '{CANARY}'}}"),
    "message: Ruby": said(f'{{"password"=>"{CANARY}"}}'),
    "message: prose": said(f"user u password: {CANARY} was refused"),
    "message: prose without a colon": said(f'the password is "{CANARY} x"'),
    "message: YAML": said(f"db:\n  user: u\n  password: {CANARY}\n  port: 1"),
    "message: YAML block": said(f"key: v\nprivateKey: |\n  {CANARY}\n  {CANARY}\nport: 1"),
    "message: kubeconfig": said(f"users:\n- user:\n    client-key-data: {ENCODED}"),
    "message: base64 of a key": said(base64.b64encode(PEM.encode()).decode()),
    "message: base64 of a pull secret": said(base64.b64encode(DOCKER.encode()).decode()),
    "termination message": pod(status={"lastState": {"terminated": {
        "message": f"cannot log in with password={CANARY}"}}}),
    "waiting message": pod(status={"state": {"waiting": {
        "message": f"failed to authorize: https://u:{CANARY}@r.example"}}}),
    "custom resource by name": custom(db={"password": CANARY}),
    "custom resource by camel case": custom(auth={"clientSecret": CANARY}),
    "custom resource in a list": custom(users=[{"name": "u", "apiToken": CANARY}]),
    "parameters of a StorageClass": {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "parameters": {"restuserkey": CANARY, "secretKey": CANARY}} | {
        "parameters": {"secretKey": CANARY}},
    "attributes of a volume": {"apiVersion": "v1", "kind": "PersistentVolume", "spec": {"csi": {
        "volumeAttributes": {"accountKey": CANARY}}}},
}  # fmt: skip


def holds(thing):
    text = json.dumps(thing)
    return any(part in text for part in (CANARY, ENCODED, base64.b64encode(PEM.encode()).decode()))


def test_there_are_fifty_places_and_more():
    assert len(PLACES) >= 50


@pytest.mark.parametrize("obj", PLACES.values(), ids=PLACES)
def test_no_secret_survives(obj):
    before = copy.deepcopy(obj)

    copied = Redactor().object(obj)

    assert not holds(copied)
    assert HIDDEN in json.dumps(copied)
    assert obj == before, "what it is given is not changed"
    assert copied.get("kind") == obj.get("kind")
    assert Redactor().object(copied) == copied, "it is as hidden as can be"


def test_a_canary_would_be_found():
    encoded = {"pull secret", "message: basic", "message: base64 of a pull secret"}
    assert {name for name, obj in PLACES.items() if not holds(obj)} == encoded
    plain = pod(container={"env": [{"name": "COLOUR", "value": CANARY}]})
    assert holds(Redactor().object(plain))


@pytest.mark.parametrize("name", ["github", "gitlab", "slack", "aws", "google", "stripe", "npm"])
def test_tokens_that_their_issuers_mark_are_hidden(name):
    # put together here, so that nobody takes this file for a leak
    token = {
        "github": "gh" + "p_" + "a1B2" * 9,
        "gitlab": "gl" + "pat-" + "a1B2" * 5,
        "slack": "xo" + "xb-" + "1234-" * 4,
        "aws": "AK" + "IA" + "ABCD" * 4,
        "google": "AI" + "za" + "a1B2" * 9,
        "stripe": "sk" + "_live_" + "a1B2" * 6,
        "npm": "np" + "m_" + "a1B2" * 9,
    }[name]
    assert hide(f"see {token} there") == f"see {HIDDEN} there"


@pytest.mark.parametrize(
    "text",
    [
        'secret "credentials" not found',
        'configmap "token" not found',
        "Error: couldn't find key password in Secret shop/credentials",
        "references non-existent secret key: password",
        'MountVolume.SetUp failed for volume "token" : secret "credentials" not found',
        "failed to sync secret cache: timed out waiting for the condition",
        'failed to fetch token: serviceaccounts "flask" not found',
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]",
        "0/1 nodes are available: 1 node(s) had untolerated taint(s) {key: value}.",
        "docker-pullable://flask@sha256:0123456789abcdef",
        "http://10.0.0.1:5000/a@b",
        "Get \"https://auth.docker.io/token?scope=repository%3Aflask%3Apull\": dial tcp: EOF",
        "failed to fetch anonymous token: 401 Unauthorized",
        "basic authentication is required",
        "basic rules apply",
        "the keyboard's author pinned a passage",
        "Back-off restarting failed container flask in pod flask-7d4_shop(1-2)",
        "key=value",
        "--timeout 30 --keys",
        "curl -u bob http://shop",
        "mysql --protocol tcp",
    ],
)  # fmt: skip
def test_what_kubernetes_says_stays_as_it_is(text):
    assert hide(text) == text


def test_what_is_around_a_secret_stays_readable():
    assert hide("GET https://u:p@shop:80/x?token=abc&page=2 failed") == (
        f"GET https://{HIDDEN}@shop:80/x?token={HIDDEN}&page=2 failed"
    )
    assert hide('{"password": "a\\"b", "port": 1}') == f'{{"password": "{HIDDEN}", "port": 1}}'
    assert hide("a:\n  secret: |\n    x\n    y\nb: 1") == f"a:\n  secret: |\n{HIDDEN}\nb: 1"


def test_keys_stay_so_that_a_missing_one_can_be_named():
    obj = {**CONFIG, "data": {"colour": "blue"}, "binaryData": {"logo": "AA=="}}
    copied = Redactor().object(obj)
    assert copied["data"] == {"colour": HIDDEN}
    assert copied["binaryData"] == {"logo": HIDDEN}


def test_names_labels_and_selectors_stay_whatever_they_are_called():
    obj = pod()
    obj["metadata"] |= {"name": "token", "labels": {"secret": "yes", "password": "x"}}
    obj["spec"] |= {
        "imagePullSecrets": [{"name": "registry-token"}],
        "serviceAccountName": "secret-agent",
        "automountServiceAccountToken": False,
        "volumes": [{"name": "secret", "secret": {"secretName": "password"}}],
        "tolerations": [{"key": "token", "value": "yes", "operator": "Equal"}],
    }
    obj["spec"]["containers"][0]["env"] = [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    ]
    assert Redactor().object(obj) == obj


def test_where_a_custom_resource_says_where_a_secret_is_that_stays():
    obj = custom(
        secretName="a", passwordRef={"name": "b", "key": "c"}, tokenPath="/t", tokens=3, key="k",
        secure=True, password="", secretless=None,
    )  # fmt: skip
    expected = copy.deepcopy(obj)
    expected["spec"]["tokens"] = HIDDEN
    assert Redactor().object(obj) == expected


def test_managed_fields_are_left_out():
    obj = pod()
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    assert Redactor().object(obj) == pod()


def test_odd_shapes_are_copied():
    obj = custom(list=[1, None, ["a"]], text="{no json", more="[1, 2]")
    obj["spec"]["args"] = "sh -c --token abc"
    obj["spec"]["command"] = ["a", 1, {"password": "x"}, "-p"]
    copied = Redactor().object(obj)
    assert copied["spec"]["list"] == [1, None, ["a"]]
    assert (copied["spec"]["text"], copied["spec"]["more"]) == ("{no json", "[1, 2]")
    assert copied["spec"]["args"] == f"sh -c --token {HIDDEN}"
    assert copied["spec"]["command"][:2] == ["a", 1]
    assert Redactor().object({**SECRET, "data": None}) == {**SECRET, "data": None}


# --- values that are known


def test_a_value_of_a_secret_that_was_deployed_is_hidden_wherever_it_turns_up():
    redactor = Redactor()
    assert redactor.text("logged in with hunter2-and-more") == "logged in with hunter2-and-more"
    redactor.learn({**SECRET, "stringData": {"a": "hunter2-and-more", "b": "line-1 x\nline-2 y"}})
    assert redactor.text("logged in with hunter2-and-more") == f"logged in with {HIDDEN}"
    assert redactor.text("> line-2 y") == f"> {HIDDEN}"
    redactor.learn({**SECRET, "data": {"a": base64.b64encode(b"another-0ne").decode()}})
    assert redactor.text("another-0ne, hunter2-and-more") == f"{HIDDEN}, {HIDDEN}"
    assert redactor.value(["another-0ne"]) == [HIDDEN]


def test_of_two_values_the_longer_is_hidden_first():
    redactor = Redactor()
    redactor.learn({**SECRET, "stringData": {"a": "hunter-2", "b": "hunter-2-and-more"}})
    assert redactor.text("with hunter-2-and-more") == f"with {HIDDEN}"


def test_common_words_and_short_values_are_not_learned():
    redactor = Redactor()
    redactor.learn(
        {**SECRET, "stringData": {"user": "postgres", "port": "54321234", "flag": "a-1"}},
        {**CONFIG, "data": {"x": "not-secret-1"}},
        {**SECRET, "data": {"raw": "//79", "broken": "%%%%%%%%-1"}},
    )
    for text in ("postgres at 54321234 a-1", "not-secret-1"):
        assert redactor.text(text) == text
    assert redactor.text("%%%%%%%%-1") == HIDDEN


def test_names_are_not_touched_by_what_is_known():
    redactor = Redactor()
    redactor.learn({**SECRET, "stringData": {"a": "flask-7d4-x"}})
    obj = {"kind": "Pod", "metadata": {"name": "flask-7d4-x"}, "note": "flask-7d4-x"}
    assert redactor.object(obj) == {**obj, "note": HIDDEN}


def test_what_is_remembered_is_bounded():
    redactor = Redactor()
    for number in range(5000):
        redactor.text(f"text {number}")
    assert len(redactor._hidden) <= 4096


# --- in general


@given(st.text(st.sampled_from("ab1 =:@/-\"'\\{}\n|&.")))
def test_any_text_can_be_hidden_and_twice_is_as_once(text):
    once = hide(f"password {text} token")
    assert hide(once) == once or len(hide(once)) <= len(once)


@given(st.text(min_size=1, max_size=30))
def test_a_value_after_password_is_never_shown(value):
    value = "".join(value.split()).replace("&", "").replace("\\", "").strip("\"'") or "x"
    marked = f"q9{value}q9"
    assert marked not in hide(f"--password={marked}")
    assert marked not in hide(json.dumps({"password": marked}))


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "x-api-key", "clientSecret", "PIN", "dbPass", "AUTH"]
)
def test_names_that_tell(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["KEYBOARD", "author", "compass", "PATH", "monkey", "pinned", ""])
def test_names_that_do_not(name):
    assert not looks_secret(name)


def test_a_long_text_takes_no_long_time():
    for text in ("a" * 50_000, "password=" * 5_000, '"' * 20_000, "x: " * 20_000, "-a " * 20_000,
                 "://" * 10_000, "\\" * 20_000, "eyJ" * 10_000, "mysql " * 3_000):  # fmt: skip
        assert hide(text) is not None


# --- what is judged by stays

TABLES = ("images", "starting", "crashing", "around")


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=f"{name}: {c['name']}") for name in TABLES for c in load(name)]
)
def test_a_diagnosis_is_the_same_without_the_secrets(case):
    snapshot, root = snapshot_of(case), root_of(case)
    redactor = Redactor()
    hidden = Snapshot.of(*(redactor.object(obj) for obj in snapshot.objects.values()))
    assert [(f.cause, f.message, f.evidence) for f in diagnose(hidden, root)] == [
        (f.cause, f.message, f.evidence) for f in diagnose(snapshot, root)
    ]


@pytest.mark.parametrize("case", load("status"), ids=lambda case: case["name"])
def test_a_status_is_the_same_without_the_secrets(case):
    objects = [case["object"], *case.get("others", [])]
    hidden = Snapshot.of(*(Redactor().object(obj) for obj in objects))
    assert status(ObjectRef.of(objects[0]), hidden) == status(
        ObjectRef.of(objects[0]), Snapshot.of(*objects)
    )
