"""What the application answers, asked without a server."""

import logging
import socket

import pytest
from app import VERSION, create_app

ENVIRON = {
    "POD_NAME": "flask-6d9f4c-x2x7q",
    "NODE_NAME": "seatrial-control-plane",
    "BUILD_ID": "sha-0123456789abcdef",
}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def client(environ=ENVIRON, clock=None):
    return create_app(environ, clock or Clock()).test_client()


def test_the_page_says_who_answers():
    answer = client().get("/")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    page = answer.get_data(as_text=True)
    assert "Hello from Flask" in page
    assert VERSION in page
    for value in ENVIRON.values():
        assert value in page


def test_the_page_counts_its_visits_and_no_probes():
    visitor = client()
    assert "<strong>1</strong>\n    visit to" in visitor.get("/").get_data(as_text=True)
    visitor.get("/healthz")
    assert "<strong>2</strong>\n    visits to" in visitor.get("/").get_data(as_text=True)


def test_the_page_needs_nothing_from_elsewhere():
    page = client().get("/")
    text = page.get_data(as_text=True)
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_what_the_cluster_tells_is_escaped():
    page = client({"POD_NAME": "<script>"}).get("/").get_data(as_text=True)
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_outside_a_cluster_the_host_stands_for_pod_and_node():
    state = create_app().extensions["state"]
    assert state.pod_name == state.node_name == socket.gethostname()
    assert state.build_id == "unknown"


def test_the_version_names_the_build():
    answer = client().get("/version")
    assert answer.json == {"name": "flask", "version": VERSION, "build_id": "sha-0123456789abcdef"}


def test_it_is_alive_even_while_it_is_not_ready():
    visitor = client({"READY_FAIL": "1"})
    assert visitor.get("/healthz").get_data(as_text=True) == "ok\n"
    assert visitor.get("/readyz").status_code == 503


def test_it_is_ready_at_once_unless_told_otherwise():
    answer = client().get("/readyz")
    assert (answer.status_code, answer.get_data(as_text=True)) == (200, "ready\n")


def test_readiness_can_be_delayed():
    clock = Clock()
    visitor = client({"READY_DELAY_SECONDS": "2.5"}, clock)
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.get_data(as_text=True)) == (503, "ready in 2.5 s\n")
    clock.now += 2.5
    assert visitor.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("text", "status"),
    [("1", 503), ("true", 503), ("0", 200), ("false", 200), ("No", 200), ("", 200)],
)
def test_readiness_can_be_made_to_fail(text, status):
    answer = client({"READY_FAIL": text}).get("/readyz")
    assert answer.status_code == status
    assert ("READY_FAIL is set" in answer.get_data(as_text=True)) == (status == 503)


def test_readiness_ends_with_the_shutdown():
    app = create_app({})
    app.extensions["state"].shutting_down = True
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_data(as_text=True)) == (503, "shutting down\n")


def test_a_delay_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="READY_DELAY_SECONDS must be a number, not 'soon'"):
        create_app({"READY_DELAY_SECONDS": "soon"})


def test_every_request_leaves_one_line_in_the_access_log(caplog):
    with caplog.at_level(logging.INFO, "app.access"):
        client().get("/no%0Asuch", headers={"User-Agent": "kube-probe/1.37"})
    [record] = caplog.records
    assert record.getMessage().startswith("GET /no%0Asuch 404 ")
    assert record.getMessage().endswith("from 127.0.0.1 'kube-probe/1.37'")
