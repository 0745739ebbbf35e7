"""JSON Schema 2020-12, compiled so that a schema can never make the hub fetch an address."""

from __future__ import annotations

from typing import Any, NoReturn

import jsonschema_rs

from hub.common.schema_bounds import bound_error

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"it refers to another document, {uri}, which is not fetched. Write the part here.")


def schema_error(schema: Any, *, may_contain_itself: bool = True) -> tuple[str, str] | None:
    """(dotted path, sentence) when this is no usable schema, else None. Bounds come first: see hub.common.schema_bounds."""
    if not isinstance(schema, dict):
        return "", 'A schema is a JSON object, such as {"type": "object", "required": ["id"]}.'
    if schema.get("$schema", DRAFT) != DRAFT:
        return "$schema", f"Only schemas of {DRAFT} are understood."
    if beyond := bound_error(schema, may_contain_itself=may_contain_itself):
        return beyond
    try:
        jsonschema_rs.meta.validate(schema)
        validator(schema)
    except jsonschema_rs.ValidationError as error:
        return ".".join(map(str, error.instance_path)), f"This is not JSON Schema 2020-12: {error.message}."
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return "", f"This is not JSON Schema 2020-12: {error}"
    return None


def validator(schema: dict[str, Any], *, validate_formats: bool = False) -> jsonschema_rs.Draft202012Validator:
    """A compiled schema. Raises ValueError or ReferencingError for one that needs another document."""
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=validate_formats, retriever=_refuse)
