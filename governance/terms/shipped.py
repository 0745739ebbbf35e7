"""The terms that ship with the hub: one file for each in `governance/terms/shipped/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from hub.common.registry import Document

FOLDER = Path(__file__).resolve().parent / "shipped"
CURRENCY = "${currency}"


def documents(currency: str) -> Iterator[Document]:
    """Every shipped term by name, its amounts in one currency."""
    for file in sorted(FOLDER.glob("*.yaml")):
        yield yaml.safe_load(file.read_text(encoding="utf-8").replace(CURRENCY, currency))
