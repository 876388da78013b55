"""Leaves secrets out of what is written down: recordings, dumps, reports.

What is known to be secret by its place is replaced whole: the values of a Secret and of a ConfigMap
(their keys stay, which is what a diagnosis needs), a value whose name says it is one (`DB_PASSWORD`
in `env`, `Authorization` among HTTP headers, `password` in a custom resource), the copy of a
manifest that an annotation holds. In every other text (an event's message, a log line, an argument)
what looks like a secret is replaced: private keys, tokens, `--password=…`, the user in a URL.

It leaves out too much rather than too little, but never a name, a label, a reason or a number that
readiness and events are judged by.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seatrial.core.model import Object, dig
from seatrial.core.secrets_in_text import HIDDEN, hide, looks_secret, option_names_secret

__all__ = ["HIDDEN", "Redactor"]

#: texts whose hidden form is kept, as most strings of an object are those of its version before
REMEMBERED = 4096
#: a shorter value that is known to be secret would be found in too many harmless texts
SHORTEST_KNOWN = 8
#: from this length on a value of letters alone is taken for a secret, not for a common word
SHORTEST_WORDLESS = 16

#: maps of free keys inside the kinds of Kubernetes itself
_FREE_MAPS = frozenset({"annotations", "options", "parameters", "volumeAttributes"})
#: what is always an identity, and is told apart by others: never looked into
_IDENTITIES = frozenset({
    "apiVersion", "generateName", "kind", "labels", "matchLabels", "name", "namespace", "nodeName",
    "resourceVersion", "uid",
})  # fmt: skip
#: the end of a key of a custom resource that says where a secret is, not what it is
_POINTERS = ("file", "name", "namespace", "path", "ref", "refs", "selector")
#: groups of Kubernetes itself, beside those that end in `.k8s.io`
_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
_DATA = {
    "Secret": ("data", "stringData", "binaryData"),
    "ConfigMap": ("data", "stringData", "binaryData"),
}


class Redactor:
    """Makes copies without secrets; what it is given is not changed.

    `learn` tells it of values that are secret wherever they turn up, as in a log.
    """

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._hidden: dict[str, str] = {}

    def learn(self, *objects: Object) -> None:
        """Take the values of Secrets among these manifests for secret in every text from now on.

        Common words are left out, and what has fewer than 8 characters: hiding those would hide
        what is wrong.
        """
        values = [value for obj in objects for value in _values(obj)]
        # a log shows a text of several lines line by line
        lines = [line.strip() for value in values for line in value.splitlines()]
        found = {value for value in [*values, *lines] if _is_telling(value)}
        if not found <= self._known:
            self._known |= found
            self._hidden.clear()

    def object(self, obj: Object) -> dict[str, Any]:
        """A copy of an object without its secrets, and without `managedFields`."""
        copied: dict[str, Any] = self._walk(obj, free=False)
        return copied

    def text(self, text: str) -> str:
        """The text with what looks like a secret replaced."""
        hidden = self._hidden.get(text)
        if hidden is None:
            hidden = text
            # the longest first: one may be the beginning of another
            for known in sorted(self._known, key=len, reverse=True):
                hidden = hidden.replace(known, HIDDEN)
            hidden = hide(hidden)
            if len(self._hidden) >= REMEMBERED:
                self._hidden.clear()
            self._hidden[text] = hidden
        return hidden

    def value(self, value: Any) -> Any:
        """A copy of any JSON value, with what looks like a secret replaced in every text of it."""
        return self._walk(value, free=False)

    def _walk(self, value: Any, *, free: bool) -> Any:
        """`free`: keys are somebody's own, so that their names tell what they hold."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            return self._map(value, free=free)
        if isinstance(value, Sequence):
            return [self._walk(each, free=free) for each in value]
        return value

    def _map(self, value: Mapping[str, Any], *, free: bool) -> dict[str, Any]:
        if "kind" in value and "apiVersion" in value:
            free = not _is_of_kubernetes(str(value["apiVersion"]))
        secret_fields = _DATA.get(str(value.get("kind", "")), ())
        named_secret = isinstance(value.get("name"), str) and looks_secret(value["name"])
        copied: dict[str, Any] = {}
        for key, each in value.items():
            if key == "managedFields":
                continue
            if key in _IDENTITIES:
                copied[key] = each
            elif key in secret_fields and isinstance(each, Mapping):
                copied[key] = dict.fromkeys(each, HIDDEN)
            elif key == "value" and named_secret and not isinstance(each, Mapping):
                copied[key] = HIDDEN
            elif key in ("args", "command") and isinstance(each, Sequence):
                copied[key] = self._words(each)
            elif free and _is_secret(key, each):
                copied[key] = HIDDEN
            else:
                copied[key] = self._walk(each, free=free or key in _FREE_MAPS)
        return copied

    def _string(self, text: str) -> str:
        # a whole object may be kept as a text, as in annotations: what is known of its kind holds
        if text[:1] in ("{", "["):
            try:
                parsed = json.loads(text)
            except ValueError:
                return self.text(text)
            copied = self._walk(parsed, free=True)
            return text if copied == parsed else json.dumps(copied, separators=(",", ":"))
        return self.text(text)

    def _words(self, words: Sequence[Any] | str) -> Any:
        """The words of a command line, of which one may say that the next is secret."""
        if isinstance(words, str):
            return self._string(words)
        copied: list[Any] = []
        for place, word in enumerate(words):
            before = words[place - 1] if place else None
            if isinstance(word, str) and isinstance(before, str) and _follows(before, word):
                copied.append(HIDDEN)
            else:
                copied.append(self._walk(word, free=False))
        # what a program's own short option says can be seen only in the whole
        whole = [word if isinstance(word, str) else "" for word in copied]
        for place, word in enumerate(whole):
            shown = option_names_secret(whole[:place], word)
            if shown is not None:
                copied[place] = shown
        return copied


def _follows(option: str, word: str) -> bool:
    return (
        option.startswith("-")
        and "=" not in option
        and not word.startswith("--")
        and looks_secret(option)
    )


def _is_secret(key: str, value: Any) -> bool:
    if "last-applied" in key and isinstance(value, str):
        return True
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return False
    words = key.replace("_", "-").lower()
    # `key` by itself is the name of a key nearly everywhere
    return looks_secret(key) and words not in ("key", "keys") and not words.endswith(_POINTERS)


def _is_of_kubernetes(api_version: str) -> bool:
    group, slash, _ = api_version.partition("/")
    return not slash or group in _GROUPS or group.endswith(".k8s.io")


def _values(obj: Object) -> Iterable[str]:
    if obj.get("kind") != "Secret":
        return
    for value in dig(obj, "stringData", default={}).values():
        yield str(value)
    for value in dig(obj, "data", default={}).values():
        yield str(value)
        try:
            yield base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _is_telling(value: str) -> bool:
    if len(value) < SHORTEST_KNOWN or len(value) >= SHORTEST_WORDLESS:
        return len(value) >= SHORTEST_KNOWN
    return not value.isalpha() and not value.isdigit()
