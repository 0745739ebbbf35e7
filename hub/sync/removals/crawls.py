"""What a run notes of the pages that it reads, to judge at the end whether the crawl may be believed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import orjson

from hub.common.errors import MissingReference
from hub.common.records import Page, Record
from hub.sync.models import Crawl, Run
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Prepared
from mappings.paths import parse_path
from mappings.reading import reads


@dataclass(frozen=True, slots=True)
class Notes:
    """The crawl of a run so far. Each page makes new notes, which count once its transaction is committed."""

    crawl: Crawl
    fields: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, plan: SyncPlan) -> Notes:
        """The notes that an earlier worker has kept, or new ones."""
        whole = plan.sync.mode == plan.sync.Mode.FULL or run.cursor_from is None
        found = Crawl.objects.filter(pk=run.pk).first() or Crawl(run=run, is_whole=whole, source=source_of(plan))
        return cls(found, contract_fields(plan))

    def with_page(self, page: Page, prepared: Prepared) -> Notes:
        crawl = copy(self.crawl)
        if not crawl.read and prepared.read:
            crawl.first_passed = prepared.read > sum(_is_refused(problem.error) for problem in prepared.problems)
            crawl.usual_fields = [name for name in self.fields if _is_usual(name, page.records)]
        unseen = [name for name in self.fields if name not in crawl.seen_fields]
        crawl.seen_fields = [*crawl.seen_fields, *(n for n in unseen if any(_holds(r, n) for r in page.records))]
        crawl.nameless += sum(problem.external_id.startswith("#") for problem in prepared.problems)
        crawl.read, crawl.pages = crawl.read + prepared.read, crawl.pages + 1
        return Notes(crawl, self.fields)

    def keep(self) -> None:
        """In the transaction of the page."""
        self.crawl.save()


def _is_refused(error: Exception) -> bool:
    return not isinstance(error, MissingReference)


def _is_usual(name: str, records: Sequence[Record]) -> bool:
    return 2 * sum(_holds(record, name) for record in records) >= len(records) > 0


def _holds(record: Any, name: str) -> bool:
    return isinstance(record, dict) and record.get(name) not in (None, "")


def contract_fields(plan: SyncPlan) -> tuple[str, ...]:
    """The fields that the source owes: its key, and those of its contract, or where it has none, of the mapping."""
    if plan.source_contract is not None:
        owed = set(plan.source_contract.schema.get("properties", {}))
    else:
        owed = {_top(path) for rule in plan.rules for path in reads(rule, ())}
    return tuple(sorted(owed | {_top(path) for path in plan.stream.key}))


def _top(path: str) -> str:
    return str(parse_path(path)[0])


def source_of(plan: SyncPlan) -> str:
    """A digest of what says which source is read, and how."""
    connection, stream = plan.connection, plan.sync.stream
    parts: list[Any] = [connection.pk, connection.protocol, connection.catalogue, connection.config]
    parts += [stream.pk, stream.name, stream.key_fields, stream.options, stream.source_schema]
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
