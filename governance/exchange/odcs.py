"""A contract as a document of the Open Data Contract Standard 3.1 (https://bitol.io), and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.exchange.odcs_fields import Keys, from_properties, to_properties
from governance.exchange.words import API_VERSION, KEPT, READABLE, Data, apply_custom, custom, mapping, records
from governance.schemas import Schema
from hub.common.errors import ConfigError

# Settings of a contract that ODCS has no field for.
SETTINGS = {"unknownFields": "mode", "compatibility": "compatibility"}
# Keywords of the schema that stand at the document or in fields of its own; the rest are custom properties.
_AT_DOCUMENT = {"x-owner", "x-sla", "x-tags", KEPT}
_DOCUMENT = {
    "apiVersion", "kind", "id", "name", "version", "status", "domain", "description", "tags", "schema", "team",
    "slaProperties", "customProperties",
}  # fmt: skip
_OBJECT = {"name", "businessName", "description", "logicalType", "properties", "quality", "customProperties"}
_ENGINE = "jsonschema"
_OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A contract with what stands beside its schema. `version` and `status` are those of the hub; a file may say others."""

    slug: str
    name: str
    schema: Schema
    entity: str = ""
    description: str = ""
    domain: str = ""
    version: str = "1.0.0"
    status: str = "active"
    settings: Mapping[str, str] = field(default_factory=dict)


def to_odcs(agreement: Agreement, keys: Keys | None = None) -> Data:
    """The document; `keys` names for each entity the field by which others refer to it."""
    schema = agreement.schema
    kept = {word: value for word, value in (schema.get(KEPT) or {}).items() if word != "schema"}
    settings = {word: agreement.settings.get(name) for word, name in SETTINGS.items()}
    properties = [{"property": word, "value": value} for word, value in settings.items() if value]
    properties += kept.pop("customProperties", [])
    team = _team(schema.get("x-owner"), kept.pop("team", None))
    purpose = {"purpose": agreement.description} if agreement.description else {}
    found: Data = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": agreement.slug,
        "name": agreement.name,
        "version": agreement.version,
        "status": agreement.status,
        "domain": agreement.domain,
        "description": {**purpose, **kept.pop("description", {})},
        "tags": schema.get("x-tags"),
        "schema": [_object(agreement, keys or {})],
        "team": team,
        "slaProperties": schema.get("x-sla"),
        **kept,
        "customProperties": properties,
    }
    return {word: value for word, value in found.items() if value not in ({}, [], None, "")}


def _object(agreement: Agreement, keys: Keys) -> Data:
    schema = agreement.schema
    kept = dict((schema.get(KEPT) or {}).get("schema") or {})
    written: Data = {
        "name": agreement.entity or agreement.slug,
        "businessName": schema.get("title"),
        "logicalType": "object",
        "description": schema.get("description"),
        "properties": to_properties(schema, keys),
        "quality": [_rule(rule) for rule in schema.get("allOf") or ()],
    }
    told = _schema_of(written, {*keys, *_refs(schema)})
    rest = {word: value for word, value in schema.items() if word not in _AT_DOCUMENT and told.get(word, KEPT) != value}
    properties = [*custom(rest, [word for word in told if word not in schema]), *kept.pop("customProperties", [])]
    quality = [*written["quality"], *kept.pop("quality", [])]
    found = {**written, "quality": quality, **kept, "customProperties": properties}
    return {word: value for word, value in found.items() if value not in ({}, [], None, "")}


def _refs(schema: Schema) -> set[str]:
    return {str(spec.get("x-ref")) for spec in schema["properties"].values() if isinstance(spec, dict)}


def _rule(rule: Data) -> Data:
    """A rule across fields as a check that only our engine runs."""
    title = {"name": str(rule["title"])} if rule.get("title") else {}
    return {"type": "custom", **title, "engine": _ENGINE, "implementation": rule}


def _team(owner: Any, kept: Any) -> Any:
    """The owner first, then the other members that a file has named."""
    others = dict(kept or {})
    members = [{"username": str(owner), "role": _OWNER}] if owner else []
    return {**others, "members": [*members, *others.get("members", [])]} if members or others else None


# Back --------------------------------------------------------------------------------------------------------
def from_odcs(document: Data, entities: Collection[str], *, name: str = "") -> Agreement:
    """The contract of a document; where it holds several tables `name` chooses one. Raises ConfigError."""
    if document.get("kind") != "DataContract":
        raise _refused("This is no ODCS document: it has no `kind: DataContract`.", "kind")
    if document.get("apiVersion") not in READABLE:
        known = ", ".join(READABLE)
        raise _refused(f"ODCS {document.get('apiVersion')!r} is not understood. Known: {known}.", "apiVersion")
    table = _table(document, name)
    schema = _schema_of(table, entities)
    kept = {word: value for word, value in document.items() if word not in _DOCUMENT}
    if others := {word: value for word, value in table.items() if word not in _OBJECT}:
        kept["schema"] = {**others, **schema.pop(KEPT, {})}
    elif KEPT in schema:
        kept["schema"] = schema.pop(KEPT)
    _read_team(schema, document, kept)
    schema |= {"x-tags": document["tags"]} if document.get("tags") else {}
    schema |= {"x-sla": records(document, "slaProperties")} if document.get("slaProperties") else {}
    settings = _read_settings(document, kept)
    description = mapping(document, "description")
    purpose = str(description.pop("purpose", "") or "")
    kept |= {"description": description} if description else {}
    slug = str(document.get("id") or "")
    return Agreement(
        slug=slug,
        name=str(document.get("name") or table.get("businessName") or slug),
        schema=schema | ({KEPT: kept} if kept else {}),
        entity=str(table["name"]),
        description=purpose,
        domain=str(document.get("domain") or ""),
        version=str(document.get("version") or "1.0.0"),
        status=str(document.get("status") or "active"),
        settings=settings,
    )


def _table(document: Data, name: str) -> Data:
    tables = records(document, "schema")
    named = [table for table in tables if table.get("name") == name] if len(tables) > 1 else tables
    if len(named) != 1:
        words = ", ".join(str(table.get("name")) for table in tables[:20]) or "none"
        raise _refused(f"A contract is about one table; the document has: {words}.", "schema", "Name one with --as.")
    if not isinstance(named[0].get("name"), str):
        raise _refused("The table has no name.", "schema.name")
    return named[0]


def _schema_of(table: Data, entities: Collection[str]) -> Schema:
    """The schema of a table; what is no word of the hub waits under `x-odcs`."""
    schema: Schema = {"title": table["businessName"]} if table.get("businessName") else {}
    schema |= {"description": table["description"]} if table.get("description") else {}
    schema |= {"type": "object", **from_properties(records(table, "properties"), entities)}
    checks = records(table, "quality")
    rules = [check["implementation"] for check in checks if _is_rule(check)]
    schema |= {"allOf": rules} if rules else {}
    kept: Data = {}
    if others := [check for check in checks if not _is_rule(check)]:
        kept["quality"] = others
    if foreign := apply_custom(schema, records(table, "customProperties")):
        kept["customProperties"] = foreign
    return schema | ({KEPT: kept} if kept else {})


def _is_rule(check: Data) -> bool:
    return check.get("engine") == _ENGINE and isinstance(check.get("implementation"), dict)


def _read_team(schema: Schema, document: Data, kept: Data) -> None:
    """The owner; up to 3.0 a team was a list of members."""
    given = document.get("team")
    team = {"members": given} if isinstance(given, list) else mapping(document, "team")
    members = records(team, "members")
    owner = next(
        (each for each in members if str(each.get("role")).lower() == _OWNER and not each.get("dateOut")), None
    )
    if owner is not None:
        schema["x-owner"] = str(owner.get("username") or owner.get("name"))
        is_plain = owner.keys() <= {"username", "role"}
        team["members"] = [each for each in members if each is not owner or not is_plain]
    elif team.get("name"):
        schema["x-owner"] = str(team.pop("name"))
    if rest := {word: value for word, value in team.items() if value}:
        kept["team"] = rest


def _read_settings(document: Data, kept: Data) -> dict[str, str]:
    given = records(document, "customProperties")
    found = {
        SETTINGS[str(each["property"])]: str(each.get("value")) for each in given if each.get("property") in SETTINGS
    }
    if others := [each for each in given if each.get("property") not in SETTINGS]:
        kept["customProperties"] = others
    return found


def _refused(what: str, where: str, fix: str = "") -> ConfigError:
    return ConfigError(what, where=where, fix=fix, code="ODCS")


def to_slug(text: str) -> str:
    """A short name from a title: "Time entry" → time_entry."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
