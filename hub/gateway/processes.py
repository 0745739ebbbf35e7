"""Process APIs: start one for a key, ask how it stands, tell it that something has happened."""

from __future__ import annotations

from typing import Any

from hub.gateway.known import Caller, Served
from hub.gateway.refusals import Refused
from hub.processes import queries, services
from hub.processes.models import Process, ProcessInstance


def start(served: Served, caller: Caller, body: Any, *, once: str) -> dict[str, Any]:
    """Start it, or answer the instance that lives for the key or that the same Idempotency-Key has started."""
    given = body if isinstance(body, dict) else {}
    key, values = given.get("key"), given.get("given") or {}
    if not isinstance(key, str) or not key.strip() or not isinstance(values, dict):
        raise Refused(400, 'Send {"key": "what it is about", "given": {…}}.', code="BODY")
    cause = f"api_{caller.slug}_{once}"[:120] if once else ""
    made = services.start(
        _process(served), key.strip(), by=None, given={**values, "consumer": caller.slug}, cause=cause
    )
    return status(served, made.pk)


def status(served: Served, pk: int) -> dict[str, Any]:
    """How it stands, without what its steps hold: results stay in the hub."""
    data = queries.as_data(_instance(served, pk))
    steps = [{n: s[n] for n in ("step", "title", "state", "error", "fix", "due_at", "is_late")} for s in data["steps"]]
    return {**{n: v for n, v in data.items() if n != "steps"}, "steps": steps}


def signal(served: Served, pk: int, body: Any) -> dict[str, Any]:
    given = body if isinstance(body, dict) else {}
    name, values = given.get("name"), given.get("given") or {}
    if not isinstance(name, str) or not name.isidentifier() or not isinstance(values, dict):
        raise Refused(400, 'Send {"name": "what_happened", "given": {…}}.', code="BODY")
    services.signal(_instance(served, pk), name, values, by=None)
    return status(served, pk)


def _process(served: Served) -> Process:
    found = Process.objects.filter(slug=served.definition["process"]).first()
    if found is None:
        raise Refused(404, "The process is not there any more.", code="NOT_FOUND")
    return found


def _instance(served: Served, pk: int) -> ProcessInstance:
    rows = ProcessInstance.objects.select_related("process", "version")
    found = rows.filter(pk=pk, process__slug=served.definition["process"]).first()
    if found is None:
        raise Refused(404, "There is no such run of this process.", code="NOT_FOUND")
    return found
