"""What benchmarks and chaos runs share: documents applied as a user would, and servers in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import yaml

from hub.cli.paths import ROOT
from hub.cli.process import kill_group, spawn
from hub.config import services as config


def apply(documents: Sequence[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.yaml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        config.apply(path)


def mapping(slug: str, direction: str, stream: str, entity: str, rules: Sequence[dict[str, Any]]) -> dict[str, Any]:
    head = {"kind": "Mapping", "slug": slug, "name": slug, "direction": direction}
    return {**head, "stream": stream, "entity": entity, "rules": rules}


def write_page(folder: Path, records: Sequence[dict[str, Any]], *, number: int, total: int) -> Path:
    """One page of the paged source as `hub.sync.bench.source` serves it; `number` counts from 1.

    A page that is there already is replaced whole, so that it may be read meanwhile.
    """
    path = folder / f"{number}.json"
    partial = path.with_suffix(".part")
    partial.write_bytes(orjson.dumps({"data": records, "next_page": number + 1 if number < total else None}))
    partial.replace(path)
    return path


@contextmanager
def server(module: str, *arguments: str) -> Iterator[int]:
    """A server in a process of its own; yields the port that it prints."""
    process = spawn([sys.executable, "-m", module, *arguments], log=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        kill_group(process)
