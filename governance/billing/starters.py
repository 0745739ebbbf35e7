"""Tables to start from: the three decisions that every services firm writes down somewhere."""

from __future__ import annotations

from typing import Any

_CURRENCY = {"name": "currency", "label": "Currency", "type": "text", "values": ["EUR", "GBP", "USD"]}

MILESTONE: dict[str, Any] = {
    "hit_policy": "unique",
    "inputs": [
        {"name": "status", "label": "Milestone status", "type": "text", "values": ["planned", "completed", "accepted"]},
        {"name": "needs_acceptance", "label": "Client has to accept", "type": "boolean"},
        {"name": "amount", "label": "Milestone amount", "type": "money", "at_least": "0"},
        _CURRENCY,
    ],
    "outputs": [
        {"name": "action", "label": "Action", "type": "text"},
        {"name": "bill", "label": "To bill", "type": "money", "currency": "currency"},
    ],
    "rows": [
        {"when": {"status": "planned"}, "then": {"action": "wait"}, "note": "Not done yet"},
        {
            "when": {"status": "completed", "needs_acceptance": "no"},
            "then": {"action": "bill", "bill": "= amount"},
            "note": "Done, nobody has to accept",
        },
        {
            "when": {"status": "completed", "needs_acceptance": "yes", "amount": "< 50000"},
            "then": {"action": "bill part", "bill": "80 % of amount"},
            "note": "Done: the larger part at once",
        },
        {
            "when": {"status": "completed", "needs_acceptance": "yes", "amount": ">= 50000"},
            "then": {"action": "wait"},
            "note": "Large: not before it is accepted",
        },
        {"when": {"status": "accepted"}, "then": {"action": "bill", "bill": "= amount"}, "note": "Accepted"},
    ],
}

THRESHOLD: dict[str, Any] = {
    "hit_policy": "first",
    "inputs": [
        {"name": "unbilled", "label": "Approved, not billed", "type": "money", "at_least": "0"},
        {"name": "days_since_invoice", "label": "Days since the last invoice", "type": "number", "at_least": "0"},
        {
            "name": "billing_type",
            "label": "Billing type",
            "type": "text",
            "values": ["time_and_materials", "fixed", "capped"],
        },
    ],
    "outputs": [
        {"name": "action", "label": "Action", "type": "text"},
        {"name": "bill", "label": "To bill", "type": "money"},
    ],
    "rows": [
        {"when": {"billing_type": "fixed"}, "then": {"action": "wait"}, "note": "Fixed price is billed by milestones"},
        {
            "when": {"unbilled": ">= 25000"},
            "then": {"action": "bill", "bill": "= unbilled"},
            "note": "Threshold reached",
        },
        {
            "when": {"unbilled": "> 0", "days_since_invoice": ">= 30"},
            "then": {"action": "bill", "bill": "= unbilled"},
            "note": "A month has passed",
        },
    ],
    "otherwise": {"action": "wait"},
}

RATE: dict[str, Any] = {
    "hit_policy": "first",
    "inputs": [
        {"name": "has_assignment_rate", "label": "Rate agreed for the assignment", "type": "boolean"},
        {"name": "has_project_rate", "label": "Rate in the project's card", "type": "boolean"},
        {"name": "has_client_rate", "label": "Rate in the client's card", "type": "boolean"},
    ],
    "outputs": [{"name": "rate_from", "label": "Rate comes from", "type": "text"}],
    "rows": [
        {"when": {"has_assignment_rate": "yes"}, "then": {"rate_from": "assignment"}},
        {"when": {"has_project_rate": "yes"}, "then": {"rate_from": "project"}},
        {"when": {"has_client_rate": "yes"}, "then": {"rate_from": "client"}},
    ],
    "otherwise": {"rate_from": "standard"},
}

EMPTY: dict[str, Any] = {
    "hit_policy": "unique",
    "inputs": [{"name": "status", "label": "Status", "type": "text"}],
    "outputs": [{"name": "action", "label": "Action", "type": "text"}],
    "rows": [{"when": {}, "then": {}}],
}

STARTERS = {"milestone": MILESTONE, "threshold": THRESHOLD, "rate": RATE}
