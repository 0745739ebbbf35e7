"""The columns of the queue as a file."""

from __future__ import annotations

from hub.common.exports import Column
from monitoring.exceptions.valuing import plain

ITEM_COLUMNS = [
    Column("id", "Exception", "pk"),
    Column("cause", "Cause", "cause"),
    Column("kind", "Type", "kind"),
    Column("state", "State"),
    Column("title", "What"),
    Column("group", "Group", "group.title"),
    Column("entity", "Entity", "entity.slug"),
    Column("record", "Record", "name"),
    Column("external_id", "Id at its source"),
    Column("client", "Client"),
    Column("client_name", "Client name"),
    Column("project", "Project"),
    Column("project_name", "Project name"),
    Column("period", "Period"),
    Column("legal_entity", "Legal entity"),
    Column("amount", "Amount", lambda item: plain(item.amount)),
    Column("currency", "Currency"),
    Column("amount_firm", "Amount in the firm's currency", lambda item: plain(item.amount_firm)),
    Column("amount_note", "How the amount came about"),
    Column("opened_at", "Open since (UTC)"),
    Column("due_at", "Due (UTC)"),
    Column("assignee", "Assignee", lambda item: str(item.assignee) if item.assignee else None),
    Column("team", "Team"),
    Column("times", "Times seen"),
    Column("error_code", "Error code"),
    Column("resolution", "Resolution"),
    Column("resolved_at", "Resolved (UTC)"),
]
GROUP_COLUMNS = [
    Column("id", "Group", "pk"),
    Column("title", "Cause in words", "title"),
    Column("cause", "Cause", "cause"),
    Column("entity", "Entity", "entity.slug"),
    Column("records", "Records"),
    Column("amount_firm", "Amount in the firm's currency", lambda group: plain(group.at_risk)),
    Column("unconverted", "Records without a rate", "unpriced"),
    Column("oldest_at", "Oldest (UTC)", "oldest"),
    Column("due_at", "Deadline (UTC)", "due"),
    Column("reopened", "Came back"),
]
