"""Image references, read as Docker reads them."""

import pytest

from seatrial.core.references import Reference
from seatrial.core.spelling import did_you_mean

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("flask", "docker.io/library/flask:latest"),
        ("flask:dev", "docker.io/library/flask:dev"),
        ("acme/flask:1.0", "docker.io/acme/flask:1.0"),
        ("docker.io/flask", "docker.io/library/flask:latest"),
        ("index.docker.io/library/flask:1", "docker.io/library/flask:1"),
        ("localhost/flask:1", "localhost/flask:1"),
        ("127.0.0.1:5000/flask:1", "127.0.0.1:5000/flask:1"),
        ("registry.example/a/b/c:1", "registry.example/a/b/c:1"),
        ("Registry/flask", "Registry/flask:latest"),
        (f"flask@{DIGEST}", f"docker.io/library/flask@{DIGEST}"),
        (f"flask:1@{DIGEST}", f"docker.io/library/flask:1@{DIGEST}"),
        ("a__b/c-d.e:V1_2.3", "docker.io/a__b/c-d.e:V1_2.3"),
        ("[::1]:5000/flask:1", "[::1]:5000/flask:1"),
    ],
)
def test_a_reference_is_completed_as_docker_completes_it(text, full):
    assert str(Reference.parse(text)) == full
    assert Reference.parse(full) == Reference.parse(text)


def test_a_repository_is_the_name_without_tag_and_digest():
    assert Reference.parse("flask:dev").repository == "docker.io/library/flask"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Flask",
        "flask:",
        ":dev",
        "flask:a b",
        "a//b",
        "flask@sha256:12",
        "host.io/",
        "-a",
        "a\n",
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match=r"is not an image reference such as flask:1\.0"):
        Reference.parse(text)


def test_the_nearest_spelling_is_offered_and_nothing_that_is_far_off():
    assert did_you_mean("flsk", ["flask", "redis"]) == "did you mean 'flask'?"
    assert did_you_mean("zzz", ["flask", "redis"]) == ""
