"""The canonical model that ships with the hub: one file for each entity in `governance/canonical/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from hub.common.registry import Document

FOLDER = Path(__file__).resolve().parent / "canonical"


def shipped_documents() -> Iterator[tuple[Document, Document]]:
    """(Entity, Contract) of every shipped entity, parents first."""
    pairs = [_pair(file) for file in FOLDER.glob("*.yaml")]
    yield from sorted(pairs, key=lambda pair: (pair[0]["load_order"], pair[0]["slug"]))


def _pair(file: Path) -> tuple[Document, Document]:
    entity, contract = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return entity, contract
