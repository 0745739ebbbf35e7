"""Secrets in configuration documents: written as `${secret:name}`, never as a value when exported.

The value of `${secret:psa.token}` is the environment variable HUB_SECRET_PSA_TOKEN (or the content of the file that
HUB_SECRET_PSA_TOKEN_FILE names). A literal value is accepted too, for a first try; it never appears in an export.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hub.common.errors import ConfigError

NEW_VALUE = "(new value)"
PLACEHOLDER = re.compile(r"^\$\{secret:([A-Za-z0-9_.\-]+)\}$")


def placeholder(connection: str, name: str) -> str:
    return f"${{secret:{connection}.{name}}}"


def variable(name: str) -> str:
    """psa.token → HUB_SECRET_PSA_TOKEN"""
    return "HUB_SECRET_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def variable_of(given: str) -> str:
    """The environment variable of a placeholder."""
    match = PLACEHOLDER.match(given)
    return variable(match[1]) if match else ""


def value_of(given: str) -> str | None:
    """The secret's value; None when it is a placeholder whose variable is not set here."""
    match = PLACEHOLDER.match(given)
    if not match:
        return given
    name = variable(match[1])
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name)


def resolve(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets whose values are known; the others keep what is stored."""
    found = {name: value_of(value) for name, value in given.items()}
    return {name: value for name, value in found.items() if value is not None}


def compare(connection: str, name: str, given: str, stored: str | None) -> str:
    """How a secret with a known value reads in a plan: the exported form when nothing would change, else a word."""
    value = value_of(given)
    if stored is not None and (value is None or value == stored):
        return placeholder(connection, name)
    return NEW_VALUE


def changed(stored: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str | None]:
    """What of the given secrets is not stored already; None removes one."""
    return {name: value for name, value in given.items() if stored.get(name) != value}


def for_review(given: Mapping[str, str], shown: Mapping[str, str], exported: Mapping[str, str]) -> dict[str, str]:
    """The secrets of a document as a change request may keep them: names of values, never values.

    `shown` as a plan reads, `exported` as an export would write each. Raises ConfigError for a new value in plain.
    """
    found = {}
    for name, said in shown.items():
        is_new = said == NEW_VALUE
        if is_new and not PLACEHOLDER.match(given.get(name, "")):
            raise ConfigError(
                "A secret stands in plain in a document that goes to review.",
                where=f"secrets.{name}",
                fix=f"Write {exported[name]} and set {variable_of(exported[name])}, or enter it on the page.",
                code="SECRETS",
            )
        found[name] = given[name] if is_new else exported[name]
    return found


def problems(given: Mapping[str, object]) -> list[tuple[str, str]]:
    """(secret, sentence) of values that cannot be meant."""
    return [
        (name, f"The secret {name!r} must be text, or ${{secret:name}}.")
        for name, value in given.items()
        if not isinstance(value, str) or (value.startswith("${") and not PLACEHOLDER.match(value))
    ]
