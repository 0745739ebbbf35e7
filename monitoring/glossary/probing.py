"""Asking a system for its own number of a term."""

from __future__ import annotations

import time
from decimal import Decimal

from connectors import circuits
from connectors.models import Connection, Stream
from connectors.services import open_connection, stream_spec
from governance.terms.parsing import parse
from governance.terms.probes import Probe
from monitoring.glossary.periods import Span
from monitoring.glossary.streams import StreamTally
from monitoring.glossary.tallies import Unmeasured, kept

QUERY_SECONDS = 30
READ_SECONDS = 300
MAX_RECORDS = 1_000_000


def ask(probe: Probe, connection: Connection, span: Span | None) -> Decimal:
    """The system's number. Raises HubError, Unmeasured among others, with a sentence that says why there is none."""
    state = circuits.look(connection.pk)
    if state.is_shut:
        raise Unmeasured(
            f"{connection} does not answer: {state.error}" if state.error else f"{connection} does not answer."
        )
    if probe.query:
        return _query(probe.query, connection, span)
    return _read(probe, connection, span)


def _query(query: str, connection: Connection, span: Span | None) -> Decimal:
    days = {"period_start": span.start, "period_end": span.end} if span else {}
    with open_connection(connection) as connector:
        return kept(connector.ask(query, parameters=days, seconds=QUERY_SECONDS))


def _read(probe: Probe, connection: Connection, span: Span | None) -> Decimal:
    """The stream from its beginning to its end: half of it would be a wrong number."""
    stream = Stream.objects.filter(slug=probe.stream, connection=connection).first()
    if stream is None:
        raise Unmeasured(f"{connection} has no stream {probe.stream!r} any more.")
    tally = StreamTally(parse(probe.expression, of_stream=True), span)
    give_up, count = time.monotonic() + READ_SECONDS, 0
    with open_connection(connection) as connector:
        for page in connector.read(stream_spec(stream), cursor=None):
            if page.bad:
                raise Unmeasured(f"A record cannot be read: {page.bad[0].error.what}")
            tally.add(page.records)
            count += len(page.records)
            if count > MAX_RECORDS or time.monotonic() > give_up:
                raise Unmeasured(
                    f"The stream was given up after {count:,} records: one reading takes at most {READ_SECONDS} s and "
                    f"{MAX_RECORDS:,} records."
                )
    return tally.number()
