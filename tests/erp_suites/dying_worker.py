"""A worker that submits costs and waits for ever: python -m tests.erp_suites.dying_worker URL FOLDER; the test kills it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import django

from connectors.jobs import MemoryBook, Submitted


class FolderBook(MemoryBook):
    """A `JobBook` that outlives its process: one file, on the disk before `keep` and `drop` return."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "jobs.json"
        for stream, known in json.loads(self._path.read_text() if self._path.exists() else "{}").items():
            super().keep(stream, {key: Submitted(**job) for key, job in known.items()})

    def keep(self, stream: str, jobs: Mapping[str, Submitted]) -> None:
        super().keep(stream, jobs)
        self._store()

    def drop(self, stream: str, keys: Iterable[str]) -> None:
        super().drop(stream, keys)
        self._store()

    def _store(self) -> None:
        kept: dict[str, dict[str, Any]] = {}
        for (stream, key), job in self._jobs.items():
            kept.setdefault(stream, {})[key] = {"attempt": job.attempt, "facts": dict(job.facts)}
        draft = self._path.with_suffix(".draft")
        with draft.open("w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def main(url: str, folder: Path) -> None:
    from connectors import catalog
    from connectors.registry import open_connector
    from hub.cli.process import die_with_parent
    from hub.common.records import StreamSpec, WriteItem

    die_with_parent(os.getppid())
    order: dict[str, Any] = json.loads((folder / "order.json").read_text())
    declaration = catalog.load_file(catalog.SHIPPED / "oracle_fusion.yaml")
    with open_connector(
        declaration=declaration, config={"url": url, **order["config"]}, secrets=order["secrets"]
    ) as connector:
        connector.jobs = FolderBook(folder)
        items = [
            WriteItem(key, "upsert", body, idempotency_key=f"test:{key}:1") for key, body in order["bodies"].items()
        ]
        connector.write(StreamSpec("project_costs"), items)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    django.setup()
    main(sys.argv[1], Path(sys.argv[2]))
