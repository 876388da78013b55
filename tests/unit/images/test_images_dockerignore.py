"""What `.dockerignore` takes out and brings back."""

import os

import pytest

from seatrial.images.dockerignore import patterns_of, walk

TREE = (
    ".env",
    "README.md",
    "a/b/c/deep.txt",
    "a/b/keep.md",
    "a/b/other.txt",
    "a/main.py",
    "docs/README.md",
    "docs/x.md",
    "foo/inner",
    "foobar",
    "x1.log",
    "x2.log",
    "xa.log",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "link").symlink_to("a")
    return root


def kept(root, text):
    return {name for name in walk(root, patterns_of(text)) if (root / name).is_file()}


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("", ()),
        ("# README.md\n\n   \n", ()),
        ("\ufeffREADME.md", ("README.md",)),
        ("README.md", ("README.md",)),
        ("/README.md\n", ("README.md",)),
        ("  README.md  \n", ("README.md",)),
        ("./docs/../README.md", ("README.md",)),
        ("*.md", ("README.md",)),
        ("*/*.md", ("docs/README.md", "docs/x.md")),
        ("**/*.md", ("README.md", "a/b/keep.md", "docs/README.md", "docs/x.md")),
        ("**/README.md", ("README.md", "docs/README.md")),
        ("docs", ("docs/README.md", "docs/x.md")),
        ("docs/", ("docs/README.md", "docs/x.md")),
        ("docs/**", ("docs/README.md", "docs/x.md")),
        ("foo", ("foo/inner",)),
        ("foo*", ("foo/inner", "foobar")),
        ("x?.log", ("x1.log", "x2.log", "xa.log")),
        ("x[0-9].log", ("x1.log", "x2.log")),
        ("x[^0-9].log", ("xa.log",)),
        ("x\\?.log", ()),
        ("x..log", ()),
        (".env", (".env",)),
        ("a/**/deep.txt", ("a/b/c/deep.txt",)),
        ("a/**/*.txt", ("a/b/c/deep.txt", "a/b/other.txt")),
        ("a/*", ("a/b/c/deep.txt", "a/b/keep.md", "a/b/other.txt", "a/main.py")),
        (".", ()),
        ("..", ()),
        ("*.md\n!README.md", ()),
        ("!README.md\n*.md", ("README.md",)),
        ("docs\n!docs/x.md", ("docs/README.md",)),
        ("a/b\n!a/b/c", ("a/b/keep.md", "a/b/other.txt")),
        ("foo*\n!foobar", ("foo/inner",)),
    ],
)
def test_a_pattern_takes_out_what_docker_says_it_does(tree, text, out):
    assert kept(tree, text) == set(TREE) - set(out)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("*", ()),
        ("**", ()),
        ("*\n!README.md", ("README.md",)),
        ("*\n!a/b/keep.md", ("a/b/keep.md",)),
        ("*\n!a/b", ("a/b/c/deep.txt", "a/b/keep.md", "a/b/other.txt")),
        ("*\n!a/b/**", ("a/b/c/deep.txt", "a/b/keep.md", "a/b/other.txt")),
        ("*\n!**/*.md", ("README.md", "a/b/keep.md", "docs/README.md", "docs/x.md")),
        ("*\n!docs\ndocs/x.md", ("docs/README.md",)),
        ("**\n! a/main.py", ("a/main.py",)),
    ],
)
def test_what_is_brought_back_is_all_that_is_left(tree, text, left):
    assert kept(tree, text) == set(left)


def test_a_link_is_a_file_whatever_it_leads_to(tree):
    found = set(walk(tree, []))
    assert "link" in found
    assert "link/main.py" not in found
    assert "link" not in set(walk(tree, patterns_of("link")))


def test_a_folder_that_is_lost_is_not_even_looked_into(tree, monkeypatch):

    looked = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path.name) or scandir(path))
    list(walk(tree, patterns_of("a\ndocs\n!docs/x.md\n")))
    assert sorted(looked) == sorted([tree.name, "docs", "foo"])


@pytest.mark.parametrize(
    ("line", "because"), [("!", "names nothing to bring back"), ("x[", "is no pattern")]
)
def test_a_line_that_is_no_pattern_is_named(line, because):
    with pytest.raises(ValueError, match=because) as caught:
        patterns_of(f"ok\n{line}\n")
    assert repr(line) in str(caught.value)
