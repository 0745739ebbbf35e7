"""Pieces of the formulas' statements. Values are always parameters; names of fields are those of the shipped entities."""

from __future__ import annotations

INSTANT = r"'^\d{4}-\d\d-\d\dT\d\d:\d\d'"
DATE = r"'^\d{4}-\d\d-\d\d'"
NUMBER = r"'^-?\d+(\.\d+)?$'"


def entity(slug: str) -> str:
    return f"(select id from governance_entity where slug = '{slug}')"


def live(slug: str, alias: str) -> str:
    """Records of an entity that are not deleted."""
    return f"{alias}.entity_id = {entity(slug)} and {alias}.deleted_at is null"


def text(alias: str, name: str) -> str:
    return f"nullif({alias}.body ->> '{name}', '')"


def instant(alias: str, name: str) -> str:
    """An instant of the body; null for what is none."""
    value = f"{alias}.body ->> '{name}'"
    return f"(case when {value} ~ {INSTANT} then ({value})::timestamptz end)"


def date(alias: str, name: str) -> str:
    value = f"{alias}.body ->> '{name}'"
    return f"(case when {value} ~ {DATE} then left({value}, 10)::date end)"


def number(alias: str, name: str) -> str:
    value = f"{alias}.body ->> '{name}'"
    return f"(case when {value} ~ {NUMBER} then ({value})::numeric end)"


def local_day(expression: str) -> str:
    """The business date of an instant on the firm's calendar."""
    return f"(({expression}) at time zone %(zone)s)::date"


def hours_between(start: str, end: str) -> str:
    return f"round((extract(epoch from {end} - {start}) / 3600)::numeric, 6)"


def days_between(start: str, end: str) -> str:
    return f"round((extract(epoch from {end} - {start}) / 86400)::numeric, 6)"


# Which system each sync reads from or delivers to.
ROUTES = (
    "select s.id as sync_id, s.name as sync_name, m.direction, m.entity_id, y.slug as system, s.mapping_id"
    " from sync_sync s join mappings_mapping m on m.id = s.mapping_id"
    " join connectors_stream st on st.id = m.stream_id join connectors_connection c on c.id = st.connection_id"
    " join connectors_system y on y.id = c.system_id"
)
# Instants of the month, half open; the parameters are business dates.
FROM = "(%(start)s::date)::timestamp at time zone %(zone)s"
UNTIL = "(%(end)s::date + 1)::timestamp at time zone %(zone)s"


def within(expression: str) -> str:
    """Whether an instant lies in the month, on the firm's calendar."""
    return f"({expression} >= {FROM} and {expression} < {UNTIL})"


def day_within(expression: str) -> str:
    return f"({expression} between %(start)s::date and %(end)s::date)"
