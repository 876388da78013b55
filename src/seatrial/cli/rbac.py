"""`seatrial rbac`: what an administrator has to grant on a cluster that is not seatrial's own."""

from __future__ import annotations

from collections.abc import Iterable

import click
import yaml

from seatrial.cluster import access_manifests
from seatrial.core.errors import ConfigurationError
from seatrial.core.setting_values import namespaced_name
from seatrial.kube import Resource, conventional
from seatrial.manifests import load

__all__ = ["rbac"]


@click.command()
@click.argument("manifests", nargs=-1)
@click.option("--service-account", metavar="NAMESPACE/NAME", help="The account that tests run as.")
@click.option("--user", help="The same, where it is a user.")
@click.option("--nodes", is_flag=True, help="May look at nodes as well: better diagnoses.")
@click.option(
    "--pull-secret",
    default="",
    metavar="NAMESPACE/NAME",
    help="May hand on this Secret to pull by.",
)
def rbac(
    manifests: tuple[str, ...],
    service_account: str | None,
    user: str | None,
    nodes: bool,
    pull_secret: str,
) -> None:
    """Print the roles that tests of MANIFESTS (files, folders) need on an existing cluster.

    For an administrator to read, and to pipe into `kubectl apply -f -`. Nothing is asked of a
    cluster, so what a custom resource is called in the plural is a guess by English grammar.
    """
    account = _account(service_account, user)
    kinds = _kinds(manifests)
    made = access_manifests(account, kinds, nodes=nodes, pull_secret=_secret(pull_secret))
    click.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)


def _account(service_account: str | None, user: str | None) -> str:
    if bool(service_account) == bool(user):
        raise ConfigurationError(
            "whose rights are they to be?", hint="--service-account=NAMESPACE/NAME, or --user=NAME"
        )
    if not service_account:
        return str(user)
    namespace, _, name = _named("--service-account", service_account).partition("/")
    return f"system:serviceaccount:{namespace}:{name}"


def _secret(text: str) -> str:
    return _named("--pull-secret", text) if text else ""


def _named(option: str, text: str) -> str:
    try:
        return namespaced_name(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}={text} {error}") from error


def _kinds(sources: Iterable[str]) -> list[Resource]:
    """The kinds in the manifests, each once, in their order of being applied."""
    found = [each for source in sources for each in load(source)]
    return list(dict.fromkeys(conventional(each.kind, each.api_version) for each in found))
