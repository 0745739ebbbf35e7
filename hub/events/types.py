"""The events that can be subscribed to: name → what it says. The name in CloudEvents is `syncline.<name>.v1`."""

from __future__ import annotations

from governance.exchange.asyncapi import EventType
from hub.sync.states import Outcome, RunStatus

RECORD_TYPES = {
    "record.created": "A record is new",
    "record.changed": "A record has changed",
    "record.removed": "A record was deleted at its source",
}
TYPES = {
    **RECORD_TYPES,
    "run.finished": "A run has finished, with or without rejected records",
    "run.suspect": "A run went through and is suspect: far more, fewer or other records than usual",
    "run.failed": "A run has failed",
    "delivery.dead": "A delivery was given up",
    "delivery.unsure": "It is not known whether a delivery arrived",
    "connection.down": "A connection stopped answering, or refuses the sign-in",
    "connection.up": "A connection works again",
    "term.parted": "The numbers of a term part by more than its tolerance",
    "term.met": "The numbers of a term have met again",
    "contract.deprecated": "A version of a contract has a sunset, or comes near it",
}
TEST = "test"
_RECORD_DATA = ("entity", "id", "key", "version")
# What each kind of event says in its `data`, by the first word of its name.
_DATA = {
    "record": _RECORD_DATA,
    "run": ("run", "sync", "entity", "trigger", "status", "counts", "error_code", "error"),
    "delivery": (*_RECORD_DATA, "sync", "run", "attempt", "error_code", "error"),
    "connection": ("connection", "name", "state", "error"),
    "term": ("term", "name", "systems", "difference", "unit", "currency", "opened_at"),
    "contract": ("contract", "version", "semver", "sunset_date", "days_left", "successor"),
}
DESCRIBED = [
    EventType(name, title, _DATA[name.partition(".")[0]], is_about_record=name in RECORD_TYPES)
    for name, title in TYPES.items()
]

OF_OUTCOME = {
    Outcome.CREATED: "record.created",
    Outcome.UPDATED: "record.changed",
    Outcome.DEAD: "delivery.dead",
    Outcome.UNSURE: "delivery.unsure",
}
OF_RUN = {
    RunStatus.SUCCEEDED: "run.finished",
    RunStatus.COMPLETED_WITH_ERRORS: "run.finished",
    RunStatus.SUSPECT: "run.suspect",
    RunStatus.FAILED: "run.failed",
}
