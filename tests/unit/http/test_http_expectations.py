"""How an answer differs from what is expected of it, in words."""

import re

import pytest
import requests

from seatrial.http.expectations import ANY_JSON, Expected, body_lines, json_differences


def answer(body="", status=200, reason="OK", **headers):
    made = requests.Response()
    made.status_code, made.reason = status, reason
    made._content, made.encoding = body.encode(), "utf-8"
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def differences(seen, *, status=200, contains=(), json=ANY_JSON, header=None):
    wanted = Expected.of(status=status, contains=contains, json=json, header=header)
    return wanted.differences(seen)


@pytest.mark.parametrize("status", [200, {200, 201}, [200], None])
def test_a_status_is_one_of_those_expected(status):
    assert differences(answer(), status=status) == []


def test_another_status_is_told_beside_those_expected():
    seen = answer(status=500, reason="")
    assert differences(seen) == ["status is 500, not 200"]
    assert differences(seen, status={204, 200}) == ["status is 500, not 200 or 204"]
    assert differences(seen, status=None) == []


def test_texts_and_patterns_are_looked_for():
    seen = answer("Hello from Flask\n3 visits")
    assert differences(seen, contains="Flask") == []
    assert differences(seen, contains=["Hello", re.compile(r"\d+ visits?$")]) == []
    assert differences(seen, contains=["Hullo from Flask", re.compile("x+")]) == [
        'body does not contain "Hullo from Flask"; the line most like it is "Hello from Flask"',
        "body has no match of /x+/",
    ]
    assert differences(seen, contains="zzzz") == ['body does not contain "zzzz"']


def test_headers_are_compared_by_value_pattern_and_absence():
    seen = answer(Content_Type="text/html; charset=utf-8", Server="waitress")
    header = {"content-type": re.compile("^text/html"), "Set-Cookie": None, "server": "waitress"}
    assert differences(seen, header=header) == []
    wrong = {
        "Server": "nginx",
        "Content-Type": re.compile("json"),
        "X-A": "1",
        "X-B": re.compile("2"),
        "SERVER": None,
    }
    assert differences(seen, header=wrong) == [
        'header Server is "waitress", not "nginx"',
        'header Content-Type is "text/html; charset=utf-8", which /json/ does not match',
        'header X-A is not there, expected "1"',
        "header X-B is not there, expected /2/",
        'header SERVER is "waitress", but should not be there',
    ]


def test_a_body_that_is_not_json_is_told():
    (line,) = differences(answer("<html>"), json={})
    assert line.startswith("body is not JSON: ")
    assert differences(answer("null"), json=None) == []
    assert differences(answer("1"), json=None) == ["body: $ is 1, not null"]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": None, "d": 2}]}, "e": 3}),
        ((1, 2), [1, 2]),
        (1, 1.0),
        (True, True),
    ],
)
def test_json_that_fits_has_no_differences(expected, seen):
    assert list(json_differences(expected, seen)) == []


@pytest.mark.parametrize(
    ("expected", "seen", "told"),
    [
        ({"name": "a"}, {"name": "b"}, ['$.name is "b", not "a"']),
        ({"name": "a"}, {"nam": "b"}, ['$.name is not there, expected "a"; there is "nam"']),
        ({"x": "a"}, {}, ['$.x is not there, expected "a"']),
        ([1, 2], [1, 3, 4], ["$ has 3 items, not 2: [1, 3, 4]", "$[1] is 3, not 2"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["$.a[0].b is 2, not 1"]),
        ({"a": 1}, [1], ['$ is [1], not {"a": 1}']),
        (True, 1, ["$ is 1, not true"]),
        (1, True, ["$ is true, not 1"]),
        (None, 0, ["$ is 0, not null"]),
        ({"a": {1}}, {"a": 1}, ["$.a is 1, not {1}"]),
    ],
)
def test_json_that_differs_is_told_with_its_path(expected, seen, told):
    assert list(json_differences(expected, seen)) == told


def test_a_long_value_is_shortened():
    (line,) = json_differences("a" * 200, "b")
    assert len(line) < 110
    assert line.endswith("…")


def test_of_a_long_body_the_beginning_is_shown():
    assert body_lines(answer("a\n\nb")) == ["a", "b"]
    assert body_lines(answer("")) == ["(no text)"]
    lines = body_lines(answer("\n".join(map(str, range(100)))))
    assert len(lines) == 13
    assert lines[-1] == "… 88 more lines …"


def test_nothing_expected_has_a_name():
    assert repr(ANY_JSON) == "ANY_JSON"
