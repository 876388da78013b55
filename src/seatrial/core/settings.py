"""The settings: typed, checked, resolved once, and each knows where it came from.

Command line wins over environment over ini over default. The fields below are the one description
of every setting: pytest's options, its ini values, the environment and the table in the docs are
made from them (`Settings.options`).
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, cast

import platformdirs

from seatrial.core.errors import ConfigurationError
from seatrial.core.setting_values import (
    name_list,
    namespaced_name,
    path_list,
    registry_place,
)
from seatrial.core.spelling import did_you_mean, nearest

__all__ = ["CA_VARIABLES", "Option", "Row", "Settings", "options_table"]

#: where a company's own certificate authorities are commonly named, in this order
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

#: kind names a node `NAME-control-plane`, and a Linux host name has at most 64 characters
#: (`HOST_NAME_MAX`); kind itself warns above 50
CLUSTER_NAME_LENGTH = 50


def _text(text: str) -> str:
    return text.strip()


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _dns_label(text: str) -> str:
    if len(text) > CLUSTER_NAME_LENGTH:
        raise ValueError(
            f"has {len(text)} characters, more than {CLUSTER_NAME_LENGTH}: the node is named "
            "NAME-control-plane, and a host name ends at 64"
        )
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text):
        raise ValueError(
            "is not a DNS label: lower-case letters, digits and '-', "
            "with a letter or digit first and last"
        )
    return text


def _version(text: str) -> str:
    version = text.strip().removeprefix("v")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError("is not a Kubernetes version such as 1.37.2")
    return version


def _seconds(*, zero: bool = False) -> Callable[[str], float]:
    def parse(text: str) -> float:
        match = re.fullmatch(r"(.*?)\s*(ms|s|m|h)?", text.strip())
        number, unit = match.groups() if match else (text, None)
        try:
            seconds = float(number) * {"ms": 0.001, "m": 60, "h": 3600}.get(unit or "s", 1)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            raise ValueError("is not a duration such as 60, 60s or 2m")
        if seconds < 0 or (seconds == 0 and not zero):
            raise ValueError(f"must be {'0 or more' if zero else 'more than 0'} seconds")
        return seconds

    return parse


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _folder(text: str) -> Path:
    folder = Path(text).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise ValueError("is a file, not a folder")
    return folder


def _folder_if_any(text: str) -> Path | None:
    return _folder(text) if text else None


def _program(text: str) -> Path | None:
    if not text:
        return None
    program = Path(text).expanduser().absolute()
    if not program.is_file():
        raise ValueError("is no file")
    if not os.access(program, os.X_OK):
        raise ValueError("is not executable")
    return program


def _ca_bundle(text: str) -> Path | None:
    if text in ("", "none"):
        return None
    bundle = Path(text).expanduser().absolute()
    if not bundle.is_file():
        raise ValueError("is no file")
    return bundle


def _about(
    parse: Callable[[str], Any],
    help_: str,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    automatic: str = "",
) -> Mapping[str, Any]:
    """What a field of `Settings` knows of itself; `automatic` says what the default stands for."""
    return {
        "parse": parse,
        "help": help_,
        "unit": unit,
        "choices": choices,
        "automatic": automatic,
    }


_PROVIDERS = ("kind", "existing")
_ENGINES = ("auto", "docker", "podman")
_KEEP = ("never", "on-failure", "always")


class Option(NamedTuple):
    """One setting, as an option of pytest, an ini value, an environment variable, a row of docs."""

    name: str
    flag: str
    environment: str
    ini: str
    help: str
    unit: str
    choices: tuple[str, ...]
    default: str
    """In words, for a person."""
    is_flag: bool
    """Whether the option on the command line takes no value."""


class Row(NamedTuple):
    """One setting as it was resolved, in words."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a user can set. There are no secrets among it."""

    provider: Literal["kind", "existing"] = field(
        default="kind",
        metadata=_about(
            _choice(*_PROVIDERS),
            "what makes the cluster; existing takes one that is there",
            choices=_PROVIDERS,
        ),
    )
    engine: Literal["auto", "docker", "podman"] = field(
        default="auto",
        metadata=_about(
            _choice(*_ENGINES),
            "what runs the nodes and builds images; auto is Docker, and podman where Docker is not",
            choices=_ENGINES,
        ),
    )
    cluster_name: str = field(
        default="seatrial",
        metadata=_about(
            _dns_label,
            f"the cluster's name: a DNS label, at most {CLUSTER_NAME_LENGTH} long",
        ),
    )
    kubernetes: str = field(
        default="1.37.2", metadata=_about(_version, "the version of Kubernetes")
    )
    node_image: str = field(
        default="",
        metadata=_about(
            _text,
            "the image that a node is made of",
            automatic="kindest/node where it can be pulled, else one that is built",
        ),
    )
    kubeconfig: tuple[Path, ...] = field(
        default=(),
        metadata=_about(
            path_list,
            "kubeconfig of an existing cluster; it is read, never changed",
            automatic="what kubectl reads: KUBECONFIG, ~/.kube/config, a pod's service account",
        ),
    )
    context: str = field(
        default="",
        metadata=_about(
            _text,
            "context of an existing cluster",
            automatic="the kubeconfig's current context",
        ),
    )
    allowed_contexts: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            name_list,
            "contexts of existing clusters that tests may run on: names or globs, with commas",
            automatic="none, but for clusters that carry the label",
        ),
    )
    registry: str = field(
        default="",
        metadata=_about(
            registry_place,
            "where images are pushed to for an existing cluster, as host:port/path",
            automatic="none",
        ),
    )
    pull_registry: str = field(
        default="",
        metadata=_about(
            registry_place,
            "the same place as the nodes of an existing cluster call it, as host:port/path",
            automatic="as in registry",
        ),
    )
    pull_secret: str = field(
        default="",
        metadata=_about(
            namespaced_name,
            "Secret of an existing cluster, as NAMESPACE/NAME, that its nodes pull images with",
            automatic="none",
        ),
    )
    keep: Literal["never", "on-failure", "always"] = field(
        default="never",
        metadata=_about(
            _choice(*_KEEP),
            "whether the cluster outlives the session; on-failure keeps it if any test failed",
            choices=_KEEP,
        ),
    )
    keep_namespace: bool = field(
        default=False,
        metadata=_about(_flag, "leave each test's namespace in place, to look at afterwards"),
    )
    record: Path | None = field(
        default=None,
        metadata=_about(
            _folder_if_any,
            "folder that a recording of each test is written into, for `seatrial replay`",
            automatic="no recordings",
        ),
    )
    state_dir: Path = field(
        default_factory=lambda: platformdirs.user_state_path("seatrial"),
        metadata=_about(
            _folder,
            "where kubeconfigs, locks, tools and what was built are kept",
            automatic="the user's state folder",
        ),
    )
    kind: Path | None = field(
        default=None,
        metadata=_about(
            _program, "path of the kind program", automatic="the version that seatrial locks"
        ),
    )
    kubectl: Path | None = field(
        default=None,
        metadata=_about(
            _program, "path of the kubectl program", automatic="the version that seatrial locks"
        ),
    )
    helm: Path | None = field(
        default=None,
        metadata=_about(
            _program, "path of the helm program, for charts", automatic="the one on PATH"
        ),
    )
    image_base: str = field(
        default="",
        metadata=_about(
            _text,
            "the base image handed to the Dockerfile as build argument BASE",
            automatic="the Dockerfile's own, else one made from Debian's packages",
        ),
    )
    extra_ca: Path | None = field(
        default=None,
        metadata=_about(
            _ca_bundle,
            "PEM file of certificate authorities that a build has to trust; none for no such file",
            automatic=f"the file that {', '.join(CA_VARIABLES[:-1])} or {CA_VARIABLES[-1]} names",
        ),
    )
    debian_mirror: str = field(
        default="",
        metadata=_about(
            _text,
            "URI of a Debian mirror that images are made from where no registry answers",
            automatic="the one this machine installs from",
        ),
    )
    ready_timeout: float = field(
        default=60.0,
        metadata=_about(_seconds(), "how long a deployment may take to become ready", unit="s"),
    )
    cluster_timeout: float = field(
        default=300.0,
        metadata=_about(_seconds(), "how long a cluster may take until it is usable", unit="s"),
    )
    http_timeout: float = field(
        default=10.0,
        metadata=_about(
            _seconds(), "how long an answer over HTTP may take, retries included", unit="s"
        ),
    )
    event_tie: float = field(
        default=2.0,
        metadata=_about(
            _seconds(zero=True),
            "events of different components that are nearer than this have no order",
            unit="s",
        ),
    )

    sources: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )
    """Where each value came from, for those that are not defaults."""

    @classmethod
    def resolve(
        cls,
        cli: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        ini: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Settle every value.

        `cli` goes by field names, `env` by `SEATRIAL_NAME`, `ini` by `seatrial_name`. None means
        not given, anywhere; an empty text in the environment or the ini means the same.

        Raises `ConfigurationError`, naming the source, for a value that cannot be used and for a
        name that no setting has.
        """
        cli, env, ini = cli or {}, env or {}, ini or {}
        options = cls.options()
        _refuse_unknown("command line", "", cli, _flag_of)
        _refuse_unknown("environment", "SEATRIAL_", env, _variable_of)
        _refuse_unknown("ini", "seatrial_", ini, _ini_of)
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for option in options:
            given: tuple[str, Any] | None = None
            if cli.get(option.name) is not None:
                given = f"command line {option.flag}", cli[option.name]
            elif env.get(option.environment):
                given = f"environment {option.environment}", env[option.environment]
            elif ini.get(option.ini) not in (None, ""):
                given = f"ini {option.ini}", ini[option.ini]
            elif option.name == "extra_ca":
                given = _automatic_ca(env)
            if given is not None:
                source, value = given
                values[option.name] = _parsed(option, source, value)
                sources[option.name] = source
        return cls(**values, sources=MappingProxyType(sources))

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """Every setting there is, in the order in which to show them."""
        shown = []
        for each in dataclasses.fields(cls):
            if "parse" not in each.metadata:
                continue
            default = each.metadata["automatic"] or _words(each.default, each.metadata["unit"])
            shown.append(
                Option(
                    name=each.name,
                    flag=_flag_of(each.name),
                    environment=_variable_of(each.name),
                    ini=_ini_of(each.name),
                    help=each.metadata["help"],
                    unit=each.metadata["unit"],
                    choices=each.metadata["choices"],
                    default=default,
                    is_flag=each.metadata["parse"] is _flag,
                )
            )
        return tuple(shown)

    def source(self, name: str) -> str:
        """Where the value of setting `name` came from: `environment SEATRIAL_CLUSTER_NAME`."""
        if name not in {option.name for option in self.options()}:
            raise ConfigurationError(f"there is no setting {name!r}")
        return self.sources.get(name, "default")

    def describe(self) -> tuple[Row, ...]:
        """Every setting with its value and its source."""
        rows = []
        for option in self.options():
            value = getattr(self, option.name)
            # the automatic value was looked for already: there is none
            nothing = "none" if option.name == "extra_ca" else option.default
            text = nothing if value in (None, "", ()) else _words(value, option.unit)
            rows.append(Row(option.name, text, self.source(option.name)))
        return tuple(rows)


def options_table() -> str:
    """The settings as a table in Markdown."""
    lines = [
        "| option | ini | environment | default | what for |",
        "|---|---|---|---|---|",
    ]
    for option in Settings.options():
        choices = f" ({', '.join(f'`{choice}`' for choice in option.choices)})"
        lines.append(
            f"| `{option.flag}` | `{option.ini}` | `{option.environment}` | {option.default} "
            f"| {option.help}{choices if option.choices else ''} |"
        )
    return "\n".join(lines) + "\n"


def _flag_of(name: str) -> str:
    return f"--seatrial-{name.replace('_', '-')}"


def _variable_of(name: str) -> str:
    return f"SEATRIAL_{name.upper()}"


def _ini_of(name: str) -> str:
    return f"seatrial_{name}"


def _words(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g} {unit}".strip()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)


def _automatic_ca(env: Mapping[str, str]) -> tuple[str, str] | None:
    for variable in CA_VARIABLES:
        # a name that leads nowhere was not given to us: not our fault to find
        if env.get(variable) and Path(env[variable]).is_file():
            return f"environment {variable}", env[variable]
    return None


def _parsed(option: Option, source: str, value: Any) -> Any:
    parse = cast("Callable[[str], Any]", _FIELDS[option.name].metadata["parse"])
    try:
        return parse(str(value))
    except ValueError as error:
        near = did_you_mean(str(value), option.choices)
        raise ConfigurationError(
            f"{option.name.replace('_', ' ')} {str(value)!r} {error}",
            details=f"from: {source}",
            hint=near
            or f"give {option.flag}, {option.environment} or ini {option.ini} another value: "
            f"{option.help}",
        ) from error


def _refuse_unknown(
    place: str, prefix: str, given: Mapping[str, Any], show: Callable[[str], str]
) -> None:
    names = [option.name for option in Settings.options()]
    known = {show(name) for name in names}
    for key in given:
        name = key.removeprefix(prefix).lower()
        if key.startswith(prefix) and (key if prefix else show(name)) not in known:
            near = nearest(name, names)
            raise ConfigurationError(
                f"{place} {key if prefix else show(name)}: there is no such setting",
                hint=f"did you mean {show(near)}?"
                if near
                else f"the settings are: {', '.join(show(each) for each in names)}",
            )


_FIELDS = {each.name: each for each in dataclasses.fields(Settings)}
