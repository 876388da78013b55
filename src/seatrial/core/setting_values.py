"""Texts that a user gives as settings, as what they stand for.

Each raises `ValueError`, whose text goes on after the setting's name and value.
"""

from __future__ import annotations

import os
from pathlib import Path

from seatrial.core.references import Reference

__all__ = ["name_list", "namespaced_name", "path_list", "registry_place"]


def name_list(text: str) -> tuple[str, ...]:
    """Separated by commas, or by lines as in an ini file."""
    parts = (each.strip() for line in text.splitlines() for each in line.split(","))
    return tuple(filter(None, parts))


def path_list(text: str) -> tuple[Path, ...]:
    """As in PATH. Whether they are there is looked at when they are needed: not every run does."""
    return tuple(Path(each).expanduser().absolute() for each in text.split(os.pathsep) if each)


def registry_place(text: str) -> str:
    """`host:port/path`, below which repositories are."""
    place = text.strip().rstrip("/")
    if not place:
        return ""
    if "://" in place:
        raise ValueError("has a scheme: give host:port/path alone")
    host = place.partition("/")[0]
    if not ("." in host or ":" in host or host == "localhost"):
        raise ValueError(f"names no host: for Docker Hub, say docker.io/{place}")
    try:
        Reference.parse(f"{place}/image")
    except ValueError as error:
        raise ValueError("is not a registry such as registry.example:5000/team") from error
    return place


def namespaced_name(text: str) -> str:
    """`NAMESPACE/NAME` of an object."""
    namespace, _, name = text.strip().partition("/")
    if text and (not namespace or not name or "/" in name):
        raise ValueError("is not NAMESPACE/NAME")
    return text.strip()
