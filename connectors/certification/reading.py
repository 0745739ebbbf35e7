"""Proofs of reading: every object whole and once, from a cursor on, from any page on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from connectors.base import Connector
from connectors.certification.proofs import NotRun, Proof, expect, prove
from connectors.certification.rehearsal import Rehearsal
from connectors.declared import key_fields
from connectors.paths import get
from hub.common.records import Page, Record, StreamInfo, StreamSpec

# Records are read again in about so many pages, of at least the smallest size.
PAGES, SMALLEST_PAGE = 12, 3
# More pages than a seeded simulator can have: a loop is told instead of followed.
MOST_PAGES = 2_000


def signing_in(rehearsal: Rehearsal) -> Iterator[Proof]:
    """Whether the test of the connection passes."""

    def attempt() -> str:
        rehearsal.reset()
        with rehearsal.connect() as connector:
            return _signs_in(connector)

    yield from prove("signs in", "", attempt)


def reading(rehearsal: Rehearsal) -> Iterator[Proof]:
    """What reading owes, stream by stream."""
    rehearsal.reset()
    with rehearsal.connect() as connector:
        for info in _readable(connector):
            yield from _of_stream(connector, rehearsal, info)


def _readable(connector: Connector) -> list[StreamInfo]:
    return [info for info in connector.discover() if info.readable]


def _signs_in(connector: Connector) -> str:
    steps = list(connector.check())
    failed = next((step for step in steps if not step.ok), None)
    expect(failed is None, f"{failed.name}: {failed.detail} {failed.cause}" if failed else "")
    return next((step.detail for step in steps if step.name == "authenticate"), "It answers.")


def _of_stream(connector: Connector, rehearsal: Rehearsal, info: StreamInfo) -> Iterator[Proof]:
    key = key_fields(rehearsal.declaration.streams[info.name])
    yield from prove("reads every record once", info.name, lambda: _reads_once(connector, info.name, key))
    yield from prove("goes on from any page", info.name, lambda: _resumes(connector, rehearsal, info.name))
    if info.cursor:
        yield from prove("reads from a cursor on", info.name, lambda: _from_cursor(connector, info.name))


def _reads_once(connector: Connector, name: str, key: tuple[str, ...]) -> str:
    records = _records(_pages(connector, name))
    if not records:
        raise NotRun("the simulator holds no record of it.")
    doubled = [found for found, n in Counter(_key(record, key) for record in records).items() if n > 1]
    expect(not doubled, f"{len(doubled)} records came twice, such as {doubled[:1]}.")
    size = _page_size(len(records))
    small = _records(_pages(connector, name, page_size=size))
    expect(_sorted(small) == _sorted(records), f"Pages of {size} gave {len(small)} records, not {len(records)}.")
    return f"{len(records)} records, the same in pages of {size}."


def _resumes(connector: Connector, rehearsal: Rehearsal, name: str) -> str:
    size = _page_size(len(_records(_pages(connector, name))))
    pages = _pages(connector, name, page_size=size)
    expect(pages[-1].resume is None, "The last page says that another one follows.")
    if len(pages) == 1:
        return "It has one page."
    middle = len(pages) // 2
    with rehearsal.connect() as other:
        resume = json.loads(json.dumps(pages[middle - 1].resume))
        rest = list(other.read(StreamSpec(name, page_size=size), cursor=None, resume=resume))
    met = _sorted(_records([*pages[:middle], *rest]))
    expect(met == _sorted(_records(pages)), f"From page {middle} on, another process read other records.")
    return f"{len(pages)} pages; another process went on from page {middle}."


def _from_cursor(connector: Connector, name: str) -> str:
    pages = _pages(connector, name)
    cursor, everything = pages[-1].cursor, _records(pages)
    if not everything:
        raise NotRun("the simulator holds no record of it.")
    expect(isinstance(cursor, str), "The last page brought no cursor.")
    again = _pages(connector, name, cursor=cursor)
    strange = [record for record in _records(again) if record not in everything]
    expect(not strange, f"{len(strange)} records appeared that the whole reading had not brought.")
    stands = again[-1].cursor == cursor or not _records(again)
    expect(stands, f"The cursor moved from {cursor} to {again[-1].cursor}, although nothing had changed.")
    return f"{len(_records(again))} of {len(everything)} records come again from {cursor} on."


def _pages(connector: Connector, name: str, *, cursor: str | None = None, page_size: int = 0) -> list[Page]:
    found: list[Page] = []
    for page in connector.read(StreamSpec(name, page_size=page_size), cursor=cursor):
        found.append(page)
        expect(len(found) <= MOST_PAGES, f"More than {MOST_PAGES} pages were sent: it reads in a loop.")
    return found


def _page_size(count: int) -> int:
    return max(SMALLEST_PAGE, count // PAGES)


def _records(pages: list[Page]) -> list[Record]:
    return [record for page in pages for record in page.records]


def _key(record: Record, key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(get(record, path)) for path in key) if key else (json.dumps(record, sort_keys=True, default=str),)


def _sorted(records: list[Record]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True, default=str) for record in records)
