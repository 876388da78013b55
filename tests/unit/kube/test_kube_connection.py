"""From a kubeconfig to answers, over plain HTTP and over TLS with client certificates."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
import urllib3
import yaml
from fake_apiserver import FakeApiServer

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.kube import LineStream, connect

TIMEOUT = 10.0


def test_the_version_is_asked_once(fake, connection):
    assert connection.version() == "v1.37.2"
    assert connection.version() == "v1.37.2"
    assert len(fake.seen("read")) == 1
    assert connection.host == fake.url


def test_the_official_client_is_at_hand(fake, connection):
    from kubernetes.client import VersionApi  # noqa: PLC0415 - only here is it tried

    assert connection.client.configuration.host == fake.url
    fake.texts["/version/"] = "{}"
    assert VersionApi(connection.client).api_client is connection.client


def test_a_health_check_that_passes_gives_its_text(fake, connection):
    fake.texts["/readyz/etcd"] = "ok"
    assert connection.healthy() == "ok"
    assert connection.healthy("/readyz/etcd") == "ok"
    assert fake.seen("read")[0].headers["Accept"] == "*/*"


def test_a_health_check_that_fails_says_which(fake, connection):
    fake.refuse(
        "read", 500, body="[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"
    )
    with pytest.raises(ApiError) as caught:
        connection.healthy()
    assert caught.value.cause == (
        "the API server refused to answer GET /readyz: 500 Internal Server Error"
    )
    assert "[-]etcd failed: reason withheld" in str(caught.value)


def test_raw_answers_are_text_and_queries_are_encoded(fake, connection):
    fake.texts["/metrics"] = "up 1"
    assert connection.get_raw("/metrics", match="a&b=c", off="", none=None, yes=True) == "up 1"
    assert fake.seen("read")[0].query == {"match": "a&b=c", "yes": "true"}
    fake.texts["/readyz"] = "[+]ping ok"
    assert connection.get_raw("/readyz?verbose=1", exclude="etcd") == "[+]ping ok"
    assert fake.seen("read")[1].query == {"verbose": "1", "exclude": "etcd"}


def test_an_answer_that_is_no_json_is_told(fake, connection):
    fake.texts["/version"] = "<html>Please log in</html>"
    with pytest.raises(ApiError) as caught:
        connection.version()
    assert str(caught.value) == (
        "what the API server answered when asked to tell its version is not JSON\n"
        "  <html>Please log in</html>\n"
        "-> is the server of the kubeconfig a Kubernetes API server?"
    )


def test_a_read_is_sent_again_on_a_connection_found_closed_and_a_write_is_not(fake, connection):
    fake.refuse("read", 0, body="reset")
    assert connection.healthy() == "ok"
    fake.refuse("PATCH", 0, body="reset")
    with pytest.raises(ApiError) as caught:
        connection.send_json("PATCH", "/api/v1/nodes/n1", {}, doing="change Node/n1")
    assert caught.value.cause == (
        f"the API server at {fake.url} cut the connection before its answer was complete"
    )
    assert caught.value.status == 0
    assert len(fake.seen("PATCH")) == 1


def test_a_server_that_does_not_answer_is_told(fake, connection, monkeypatch):
    monkeypatch.setattr("seatrial.kube.connection.READ_TIMEOUT", 0.05)
    gate = fake.hold("read")
    with pytest.raises(ApiError) as caught:
        connection.version()
    gate.set()
    assert str(caught.value) == (
        f"the API server at {fake.url} stopped answering in time\n"
        "  while trying to tell its version"
    )


def test_a_server_that_is_not_there_is_told(fake, tmp_path):
    connection = connect(fake.kubeconfig(tmp_path / "kubeconfig"))
    fake.stop_listening()
    with pytest.raises(ApiError) as caught:
        connection.version()
    assert caught.value.cause == (
        f"the API server cannot be reached at {fake.url}: connection refused"
    )
    assert caught.value.__cause__ is not None
    with pytest.raises(ApiError, match=r"cannot be reached at .*: connection refused\n"):
        connection.stream("/api/v1/pods", doing="watch pods", query={}, idle_timeout=1)


def test_many_threads_may_ask_at_once(connection):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(connection.healthy())) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert answers == ["ok"] * 20


def test_a_stream_gives_whole_lines_until_it_is_cut(fake, connection):
    stream = connection.stream(
        "/api/v1/pods",
        doing="watch pods",
        query={"watch": True, "resourceVersion": 1},
        idle_timeout=TIMEOUT,
    )
    fake.send(b'{"one":1}\n{"two"', b":2}\n\n{", b"never whole")
    lines = iter(stream)
    assert [next(lines), next(lines)] == [b'{"one":1}', b'{"two":2}']
    cutter = threading.Timer(0.0, stream.cut)
    cutter.start()
    assert list(lines) == []
    cutter.join(TIMEOUT)
    stream.close()
    stream.cut()


def test_a_stream_that_breaks_says_so(fake, connection):
    query = {"watch": True, "resourceVersion": 1}
    stream = connection.stream("/api/v1/pods", doing="watch pods", query=query, idle_timeout=5)
    fake.cut()
    with pytest.raises(ApiError, match="cut the connection before its answer was complete"):
        list(stream)
    stream.close()


def test_a_stream_whose_server_says_it_will_close_ends_by_itself(fake, connection):
    # http.client then gives its socket away to the response: there is nothing left to cut
    fake.refuse("read", 200, body="one\ntwo\nnever whole", close=True)
    stream = connection.stream("/api/v1/pods", doing="watch pods", query={}, idle_timeout=5)
    stream.cut()
    assert list(stream) == [b"one", b"two"]
    stream.close()


def test_a_stream_whose_answer_does_not_begin_is_given_up_like_any_answer(
    fake, connection, monkeypatch
):
    monkeypatch.setattr("seatrial.kube.connection.READ_TIMEOUT", 0.05)
    gate = fake.hold("watch")
    query = {"watch": True, "resourceVersion": "100"}
    with pytest.raises(ApiError, match="stopped answering in time"):
        connection.stream("/api/v1/pods", doing="watch pods", query=query, idle_timeout=3600)
    gate.set()


def test_a_stream_that_has_begun_may_be_silent_for_longer(fake, connection, monkeypatch):
    monkeypatch.setattr("seatrial.kube.connection.READ_TIMEOUT", 0.05)
    query = {"watch": True, "resourceVersion": "100"}
    stream = connection.stream("/api/v1/pods", doing="watch pods", query=query, idle_timeout=5)
    fake.wait_for_watches(1)
    late = threading.Timer(0.2, lambda: fake.send(b"late\n"))
    late.start()
    assert next(iter(stream)) == b"late"
    late.join()
    stream.close()


def test_a_stream_says_at_which_port_it_comes_in(fake, connection):
    query = {"watch": True, "resourceVersion": "100"}
    stream = connection.stream("/api/v1/pods", doing="watch pods", query=query, idle_timeout=5)
    assert stream.local_port > 0
    assert stream.local_port != fake.server.server_port
    stream.close()
    assert stream.local_port == 0
    lines = LineStream(urllib3.HTTPResponse(body=b""), doing="", host="", close=int, idle_timeout=1)
    assert lines.local_port == 0


def test_a_stream_that_is_refused_is_no_stream(fake, connection):
    fake.refuse("read", 403, "Forbidden", "not for you")
    with pytest.raises(ApiError, match=r"^the API server refused to watch pods: not for you\n"):
        connection.stream("/api/v1/pods", doing="watch pods", query={}, idle_timeout=5)


def test_a_token_is_sent(fake, tmp_path):
    path = fake.kubeconfig(tmp_path / "kubeconfig", user={"token": "let-me-in"})
    connection = connect(path)
    connection.healthy()
    seen = fake.seen("read")[0].headers
    assert seen["authorization"] == "Bearer let-me-in"
    assert seen["User-Agent"] == "seatrial"
    connection.close()


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    path = fake.kubeconfig(tmp_path / "kubeconfig")
    connection = connect(path)
    assert connection.healthy() == "ok"
    connection.close()
    path.write_text(path.read_text().replace("127.0.0.1", "localhost"))
    assert connect(path).client.configuration.proxy is None


def test_a_proxy_is_used_where_it_is_asked_for(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    path = fake.kubeconfig(tmp_path / "kubeconfig", **{"proxy-url": "http://127.0.0.1:2"})
    assert connect(path).client.configuration.proxy == "http://127.0.0.1:2"
    path.write_text(path.read_text().replace(fake.url, "http://far.example:6443"))
    document = yaml.safe_load(path.read_text())
    del document["clusters"][0]["cluster"]["proxy-url"]
    path.write_text(yaml.safe_dump(document))
    assert connect(path).client.configuration.proxy == "http://127.0.0.1:1"


def test_the_context_is_chosen_by_name_and_nothing_is_changed(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "elsewhere"))
    path = fake.kubeconfig(tmp_path / "kube:config")  # a colon is no separator here
    document = yaml.safe_load(path.read_text())
    document["contexts"].append(
        {"name": "far", "context": {"cluster": "far", "user": "tester"}},
    )
    document["clusters"].append({"name": "far", "cluster": {"server": "http://far.example"}})
    path.write_text(yaml.safe_dump(document))
    before = path.read_bytes(), dict(os.environ)
    assert connect(path, "far").host == "http://far.example"
    assert connect(path).host == fake.url
    assert (path.read_bytes(), dict(os.environ)) == before


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        (None, None, "the kubeconfig {} cannot be read: No such file or directory"),
        ("a: [", None, "the kubeconfig {} is not YAML"),
        ("", None, "the kubeconfig {} is empty, or no kubeconfig"),
        ("just text", None, "the kubeconfig {} is empty, or no kubeconfig"),
        ("{}", None, "the kubeconfig {} has no current context\n-> it has: none"),
        (
            "contexts: [{name: a}, {name: b}]",
            "c",
            "the kubeconfig {} has no context 'c'\n-> it has: a, b",
        ),
        (
            "{contexts: [{name: a, context: {cluster: x}}], clusters: []}",
            "a",
            "the kubeconfig {} cannot be used: Invalid kube-config file. "
            "Expected object with name x in kube-config/clusters list",
        ),
        (
            "{contexts: [{name: a, context: {cluster: x}}],"
            " clusters: [{name: x, cluster: {server: 'https://far.example',"
            " certificate-authority: gone.crt}}]}",
            "a",
            "the kubeconfig {} cannot be used: File does not exist: {dir}/gone.crt",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path, text, context, expected):
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        connect(path, context)
    assert str(caught.value) == expected.format(path, dir=tmp_path)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Certificates of an authority, a server and a client, made by the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not there")
    folder = tmp_path_factory.mktemp("keys")

    def make(name: str, *more: str) -> None:
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
                *("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"),
                *more,
            ],
            check=True,
            capture_output=True,
        )

    # Python 3.13 and later refuse an authority that does not say what its key is for
    make("ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    by_ca = ["-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key"]
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
    try:
        make("server", *by_ca, *leaf, "-addext", "subjectAltName=IP:127.0.0.1")
        make("client", *by_ca, *leaf)
    except subprocess.CalledProcessError:
        pytest.skip("this openssl cannot sign in one step")
    return folder


@pytest.fixture
def secure(keys):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.crt", keys / "server.key")
    context.load_verify_locations(keys / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = FakeApiServer(context)
    yield server
    server.close()


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_client_certificates_open_the_door_to_requests_and_streams(secure, keys, tmp_path):
    connection = connect(
        secure.kubeconfig(
            tmp_path / "kubeconfig",
            user={
                "client-certificate-data": _data(keys / "client.crt"),
                "client-key-data": _data(keys / "client.key"),
            },
            **{"certificate-authority-data": _data(keys / "ca.crt")},
        )
    )
    assert connection.version() == "v1.37.2"
    query = {"watch": True, "resourceVersion": 1}
    stream = connection.stream(
        "/api/v1/pods", doing="watch pods", query=query, idle_timeout=TIMEOUT
    )
    secure.send(b"{}\n")
    lines = iter(stream)
    assert next(lines) == b"{}"
    ended = threading.Event()
    reader = threading.Thread(target=lambda: (list(lines), ended.set()))
    reader.start()
    stream.cut()
    assert ended.wait(1.0)
    reader.join(TIMEOUT)
    stream.close()
    connection.close()


def test_a_server_of_another_authority_is_not_trusted(secure, keys, tmp_path):
    shutil.copy(keys / "client.crt", tmp_path / "other.crt")
    path = secure.kubeconfig(
        tmp_path / "kubeconfig",
        **{"certificate-authority": "other.crt"},  # beside the kubeconfig
    )
    with pytest.raises(ApiError) as caught:
        connect(path).version()
    assert f"the API server at {secure.url} cannot be trusted, or does not trust us: " in str(
        caught.value
    )
    assert "certificate verify failed" in str(caught.value).lower()
