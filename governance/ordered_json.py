"""A JSON column that keeps the order in which it was written: jsonb would sort the fields of a contract by length."""

from __future__ import annotations

from typing import Any

from django.db import models
from psycopg.types.json import Json


class OrderedJSONField(models.JSONField):
    """PostgreSQL's `json`: read and written whole. It cannot be compared, indexed or searched inside the database."""

    def db_type(self, connection: Any) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """psycopg has parsed it already."""
        return value
