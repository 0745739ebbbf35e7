"""The rules that ship with the hub: made where there are none, tuned or muted afterwards, never removed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hub.common.governed import passing
from hub.common.registry import Document, kind
from monitoring.models import AlertRule

FILE = Path(__file__).with_name("rules.yaml")


@cache
def documents() -> tuple[Document, ...]:
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())
    return tuple({"kind": "AlertRule", **document} for document in found)


def slugs() -> frozenset[str]:
    return frozenset(document["slug"] for document in documents())


def ensure() -> int:
    """Make those that are missing; returns how many. What somebody tuned stays as it is."""
    present = set(AlertRule.objects.values_list("slug", flat=True))
    missing = [document for document in documents() if document["slug"] not in present]
    with passing():
        for document in missing:
            kind("AlertRule").apply(dict(document), by=None)
    return len(missing)
