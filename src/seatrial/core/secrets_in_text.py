"""Finds what looks like a secret inside a text: a log line, a message, an argument.

By shape (a private key, a JSON Web Token, a token whose issuer marks it), by place (the user part
of a URL, an Authorization header) or by the name before it (`password=`, `--token …`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

__all__ = ["HIDDEN", "hide", "looks_secret", "option_names_secret"]

#: what stands where a secret was
HIDDEN = "<hidden>"

#: what is found anywhere in a name, without regard to case and separators
_PIECES = (
    "accesskey", "accountkey", "apikey", "authorization", "bearer", "connectionstring", "connstr",
    "cookie", "credential", "dockercfg", "dockerconfig", "encryptionkey", "htpasswd", "jwt",
    "kubeconfig", "masterkey", "passcode", "passphrase", "passwd", "password", "privatekey",
    "secret", "sharedkey", "signature", "signingkey", "token", "webhookurl",
)  # fmt: skip
#: what counts only as a word of its own: `keyboard`, `author` and `pinned` are harmless
_WORDS = frozenset({
    "auth", "creds", "cred", "dsn", "key", "keys", "otp", "pass", "pin", "psk", "pw", "pwd", "salt",
    "sas", "sig",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_NAME = r"(?<![\w.-])-{0,2}[A-Za-z_][\w.-]*"
_PASSWORD = re.compile(r"pass(word|wd|phrase|code)|pwd", re.IGNORECASE)

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.S)
#: Base64 of `-----BEGIN ` and of `{"auths":`, which hold keys and pull secrets
_BASE64 = re.compile(r"(?:LS0tLS1CRUdJTi|eyJhdXRocyI6|eyAiYXV0aHMi|ewogICJhdXRocyI)[\w+/=-]*")
_MARKED = re.compile(
    r"\beyJ[\w-]{5,}\.[\w=-]+(?:\.[\w=-]*)*"  # JSON Web Token
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}"  # GitHub
    r"|\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w.-]{16,}"  # GitLab
    r"|\bxox[abeoprs]-[\w-]{10,}|\bhooks\.slack\.com/services/[\w/]+"  # Slack
    r"|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}"  # Google
    r"|\b[srp]k_(?:live|test)_\w{16,}"  # Stripe
    r"|\bnpm_\w{30,}|\bpypi-[\w-]{30,}|\bhv[sb]\.[\w-]{20,}|\bsk-[\w-]{20,}|\bdckr_pat_[\w-]{16,}"
)
#: not the `@` of an image's digest: `docker-pullable://flask@sha256:…`
_USERINFO = re.compile(r"(?<=[A-Za-z0-9+.-]://)[^\s/\"'<>@]*@(?!sha\d+:)")
#: a password with a `/` in it, which is not a port and a path
_USERINFO_SLASH = re.compile(
    r"(?<=[A-Za-z0-9+.-]://)[^\s/\"'<>@:]*:(?!\d+/)[^\s\"'<>]*@(?!sha\d+:)"
)
_HEADER = re.compile(
    r"(?P<name>\b(?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?)"
    r"(?P<value>(?:basic|bearer|digest|token|negotiate|apikey|aws4-hmac-sha256)\s+[^\s\"']+)",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(?P<name>\b(?:set-)?cookie\s*:\s*)(?P<value>[^\r\n\"']+)", re.IGNORECASE)
_BEARER = re.compile(r"(?P<name>\bbearer\s+)(?P<value>[\w.~+/=-]{8,})", re.IGNORECASE)
_BASIC = re.compile(r"(?P<name>\bbasic\s+)(?P<value>[A-Za-z0-9+/]{4,}={0,2})", re.IGNORECASE)
#: in quotes that are escaped, or in quotes
_IN_QUOTES = (
    r"""\\+"(?:.*?\\+"|.*$)|\\+'(?:.*?\\+'|.*$)"""
    r"""|"(?:\\.|[^"\\])*(?:"|$)|'(?:\\.|[^'\\])*(?:'|$)"""
)
_VALUE = rf"(?:{_IN_QUOTES}|[^\s&]+)"
_QUOTED = re.compile(rf"{_IN_QUOTES}|-?\d[\d.]*", re.DOTALL)
_ANY = re.compile(_VALUE, re.DOTALL)
_NO_OPTION = re.compile(rf"(?!-){_VALUE}", re.DOTALL)
_AFTER_QUOTED_NAME = re.compile(
    r"(?P<quote>(?<!\\)\\*[\"'])(?P<name>[^\"'\\\n]{1,100})(?P=quote)\s*(?:=>|[:=])\s*"
)
_AFTER_ASSIGNED_NAME = re.compile(rf"(?P<name>{_NAME})=")
_AFTER_OPTION = re.compile(r"(?<![\w-])(?P<name>--?[A-Za-z][\w.-]*)[ \t]+")
_AFTER_SAID_NAME = re.compile(rf"(?P<name>{_NAME})\s*:\s*")
_LINE = re.compile(
    r"(?P<before>^[ \t-]*(?P<name>[A-Za-z_.][\w.-]*)[ \t]*:[ \t]+)(?P<value>\S.*)$", re.MULTILINE
)
_BLOCK_BEGINS = re.compile(r"[|>][+-]?\d?\s*")
_BLOCK = re.compile(
    r"(?P<before>^(?P<indent>[ \t-]*)(?P<name>[A-Za-z_.][\w.-]*)[ \t]*:[ \t]*[|>][+-]?\d?[ \t]*\n)"
    r"(?P<value>(?:(?P=indent)[ \t]+\S.*(?:\n|\Z)|[ \t]*\n)+)",
    re.MULTILINE,
)
_SPOKEN = re.compile(
    r"(?P<before>\b(?P<name>password|passphrase|passwd)\s+(?:(?:is|was)\s+(?=\S)|(?=[\"'])))"
    rf"(?P<value>{_VALUE})",
    re.IGNORECASE | re.DOTALL,
)
_USER = re.compile(r"(?P<before>(?<![\w-])(?:-u|-U|--user|--proxy-user)(?:[ \t]+|=)?)(?P<value>"
                   r"[\"']?[^\s:\"']+:[^\s\"']+[\"']?)")  # fmt: skip
_PROGRAM = re.compile(
    r"(?P<before>\b(?:sshpass\s+-p|redis-cli\b[^\n|;&]*?\s-a|"
    r"(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]*?\s-p)\s*)(?P<value>[^\s-]\S*)"
)
_USER_OPTIONS = frozenset({"-u", "-U", "--user", "--proxy-user"})
_SQL_PROGRAMS = ("mysql", "mysqldump", "mysqladmin", "mariadb")


def looks_secret(name: str) -> bool:
    """Whether the name says that what it names is secret: `DB_PASSWORD`, `apiKey`, `x-auth`."""
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    return any(piece in joined for piece in _PIECES) or not _WORDS.isdisjoint(words)


def hide(text: str) -> str:
    """The text with `HIDDEN` in the place of what looks like a secret."""
    text = _PEM.sub(HIDDEN, text)
    text = _BASE64.sub(HIDDEN, text)
    text = _MARKED.sub(HIDDEN, text)
    text = _USERINFO_SLASH.sub(f"{HIDDEN}@", text)
    text = _USERINFO.sub(f"{HIDDEN}@", text)
    for pattern in (_HEADER, _COOKIE, _BEARER):
        text = pattern.sub(rf"\g<name>{HIDDEN}", text)
    text = _BASIC.sub(_hidden_basic, text)
    text = _BLOCK.sub(_hidden_block, text)
    text = _hide_after(_AFTER_QUOTED_NAME, _QUOTED, text)
    text = _hide_after(_AFTER_ASSIGNED_NAME, _ANY, text)
    text = _hide_after(_AFTER_OPTION, _NO_OPTION, text)
    text = _LINE.sub(_hidden_line, text)
    text = _hide_after(_AFTER_SAID_NAME, _ANY, text, telling=True)
    for pattern in (_SPOKEN, _USER, _PROGRAM):
        text = pattern.sub(rf"\g<before>{HIDDEN}", text)
    return text


def option_names_secret(before: Sequence[str], word: str) -> str | None:
    """What to show of a word of a command line, where the options before it say that it is secret.

    None if they do not. Only short options are known here, program by program.
    """
    last = before[-1] if before else ""
    programs = {each.rpartition("/")[2] for each in before}
    if last in _USER_OPTIONS and ":" in word:
        return HIDDEN
    if (last == "-p" and "sshpass" in programs) or (last == "-a" and "redis-cli" in programs):
        return HIDDEN
    if word.startswith("-p") and len(word) > 2 and not programs.isdisjoint(_SQL_PROGRAMS):
        return f"-p{HIDDEN}"
    return None


def _names_value(name: str) -> bool:
    return looks_secret(name) and name.strip("-").lower() not in ("key", "keys")


def _hide_after(
    opening: re.Pattern[str], value: re.Pattern[str], text: str, *, telling: bool = False
) -> str:
    """Hide the values that come after a name which says that they are secret.

    `telling`: in a sentence a colon may as well begin an explanation, so that only what looks like
    a secret is hidden after a name that is not that of a password.
    """
    parts, shown_to, place = [], 0, 0
    while match := opening.search(text, place):
        # what comes after a harmless name may be a name itself
        place = match.end()
        found = value.match(text, place) if _names_value(match["name"]) else None
        if found and (not telling or _PASSWORD.search(match["name"]) or _is_telling(found[0])):
            quote = found[0][:1] if found[0][:1] in ("'", '"') else ""
            parts += [text[shown_to:place], quote, HIDDEN, quote]
            shown_to = place = found.end()
    return "".join([*parts, text[shown_to:]])


def _is_telling(value: str) -> bool:
    return len(value) >= 8 and bool(re.search(r"[A-Za-z]", value) and re.search(r"\d", value))


def _hidden_block(match: re.Match[str]) -> str:
    newline = "\n" if match["value"].endswith("\n") else ""
    hidden = f"{match['before']}{HIDDEN}{newline}"
    return hidden if looks_secret(match["name"]) else match[0]


def _hidden_line(match: re.Match[str]) -> str:
    """A line of YAML. Prose may look like one: `token: pods "x" is forbidden`."""
    if _BLOCK_BEGINS.fullmatch(match["value"]):
        return match[0]
    one_word = not re.search(r"\s", match["value"].strip())
    if _names_value(match["name"]) and (one_word or _PASSWORD.search(match["name"])):
        return f"{match['before']}{HIDDEN}"
    return match[0]


def _hidden_basic(match: re.Match[str]) -> str:
    padded = match["value"].rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        is_pair = b":" in base64.b64decode(padded, validate=True)
    except binascii.Error:
        is_pair = False
    return f"{match['name']}{HIDDEN}" if is_pair else match[0]
