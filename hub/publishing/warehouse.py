"""Tables of a warehouse, one for each entity: typed columns, a mark for what was deleted, and when a row was last written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from governance.schemas import Field, Schema, fields_of

Dialect = Literal["postgresql", "mariadb"]
DELETED, AS_OF = "is_deleted", "as_of"
_TYPES: dict[Dialect, dict[str, str]] = {
    "postgresql": {
        "decimal": "numeric(38,9)",
        "integer": "bigint",
        "number": "double precision",
        "boolean": "boolean",
        "date": "date",
        "date-time": "timestamptz",
        "string": "text",
    },
    "mariadb": {
        "decimal": "decimal(38,9)",
        "integer": "bigint",
        "number": "double",
        "boolean": "boolean",
        "date": "date",
        "date-time": "datetime(6)",
        "string": "text",
    },
}
# A key of MariaDB cannot be of unlimited length.
_KEY_TYPE: dict[Dialect, str] = {"postgresql": "text", "mariadb": "varchar(190)"}
_TOUCH = """create or replace function hub_touch() returns trigger language plpgsql as
$$ begin new.as_of = clock_timestamp(); return new; end $$;
"""


def columns_of(schema: Schema) -> list[Field]:
    """Fields that a column can hold and that everybody may see, keys first."""
    found = [f for f in fields_of(schema) if f.type not in ("object", "array") and not f.is_masked]
    return sorted(found, key=lambda field: not field.is_key)


def statements(entities: Iterable[tuple[str, Schema]], dialect: Dialect) -> Iterator[str]:
    """The statements that make the tables of these entities (slug, schema of the contract in force)."""
    if dialect == "postgresql":
        yield _TOUCH
    for slug, schema in entities:
        yield _table(slug, columns_of(schema), dialect)
        if dialect == "postgresql":
            yield f"create or replace trigger {slug}_touch before update on {_quoted(slug, dialect)}" + (
                " for each row execute function hub_touch();\n"
            )


def _table(slug: str, fields: Sequence[Field], dialect: Dialect) -> str:
    lines = [f"  {_quoted(field.name, dialect)} {_type(field, dialect)}" for field in fields]
    keys = ", ".join(_quoted(field.name, dialect) for field in fields if field.is_key)
    now = "timestamptz not null default clock_timestamp()"
    touched = "datetime(6) not null default now(6) on update now(6)"
    lines += [
        f"  {DELETED} boolean not null default false",
        f"  {AS_OF} {now if dialect == 'postgresql' else touched}",
        f"  primary key ({keys})",
    ]
    return f"create table if not exists {_quoted(slug, dialect)} (\n" + ",\n".join(lines) + "\n);\n"


def _type(field: Field, dialect: Dialect) -> str:
    words = _TYPES[dialect]
    if field.is_key:
        return f"{_KEY_TYPE[dialect]} not null"
    return words.get(field.type, words["string"])


def _quoted(name: str, dialect: Dialect) -> str:
    return f'"{name}"' if dialect == "postgresql" else f"`{name}`"
