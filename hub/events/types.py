"""The events that can be subscribed to: name → what it says. The name in CloudEvents is `syncline.<name>.v1`."""

from __future__ import annotations

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
    "contract.deprecated": "A version of a contract has a sunset, or comes near it",
}
TEST = "test"

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
