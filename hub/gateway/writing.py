"""Writes of system APIs take the way of every record: tried first without a write, then kept as a message of a webhook.

The run of its sync does the rest: contract, mapping, ownership, identity, and what other systems are told. A key that is not
new is not taken twice; where one write stands is asked at its own address.
"""

from __future__ import annotations

import uuid
from typing import Any

from hub.common.records import Record
from hub.gateway import reading
from hub.gateway.known import Caller, Served
from hub.gateway.refusals import Refused
from hub.sync import dry_inbound
from hub.sync.doubles import name_field
from hub.sync.dry_result import DryRun, Row
from hub.sync.dry_run import secret_of
from hub.sync.plan import load_plan
from hub.webhooks import receiving
from hub.webhooks.models import Endpoint, Message

# What a trial says that may not pass.
REFUSED = ("reject",)


def take(served: Served, caller: Caller, body: Any, *, once: str, match: str, absent: bool) -> dict[str, Any]:
    """Keep a record for its run: {"id", "state", "would", "key"}. Raises Refused with the sentence that says why not.

    `match` is the ETag that the record must still have, `absent` says that there must be none.
    """
    if not isinstance(body, dict) or not body:
        raise Refused(400, "Send one record as a JSON object.", code="BODY")
    endpoint = _endpoint(served)
    row = _tried(endpoint, body)
    if row.would in REFUSED:
        raise Refused(422, row.sentence, code="CONTRACT")
    _check_match(served, row.key, match, absent)
    message_id = f"{caller.slug}:{once or uuid.uuid4().hex}"
    receiving.take(endpoint, message_id, body)
    return {"id": message_id, "state": "new", "would": row.would, "key": row.key}


def _endpoint(served: Served) -> Endpoint:
    found = Endpoint.objects.filter(slug=served.definition["endpoint"]).first()
    if found is None or not found.is_active:
        raise Refused(503, "Writes are not taken now: the webhook that takes them is off.", code="OFF", wait=60)
    return found


def _tried(endpoint: Endpoint, body: Record) -> Row:
    plan = load_plan(endpoint.sync)
    result = DryRun("in", "", name_field(plan.contract.markers))
    dry_inbound.judge(plan, result, [body])
    result.secret = secret_of(plan, result)
    found = result.masked().rows
    return found[0] if found else Row("skip", "")


def _check_match(served: Served, key: str, match: str, absent: bool) -> None:
    if not match and not absent:
        return
    found = reading.by_key(served.projection, key)
    if absent and found is not None:
        raise Refused(412, f"There is a record {key} already.", code="EXISTS")
    if match and match != "*" and (found is None or found.etag != match):
        raise Refused(412, f"The record {key} was changed meanwhile. Read it again.", code="CHANGED_MEANWHILE")
    if match == "*" and found is None:
        raise Refused(412, f"There is no record {key}.", code="NOT_THERE")


def standing(served: Served, caller: Caller, message_id: str) -> dict[str, Any] | None:
    """Where a write of this caller stands."""
    rows = Message.objects.filter(endpoint__slug=served.definition.get("endpoint"), message_id=message_id)
    found = rows.first() if message_id.startswith(f"{caller.slug}:") else None
    if found is None:
        return None
    return {
        "id": found.message_id,
        "state": str(found.state),
        "outcome": str(found.outcome),
        "error": found.error,
        "run": found.run_id,
        "received_at": found.received_at.isoformat(),
        "done_at": found.done_at.isoformat() if found.done_at else None,
    }
