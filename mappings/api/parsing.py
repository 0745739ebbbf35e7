"""Request bodies as records and rules need them: no digit of a number is lost, no text that the database refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from connectors.exact_json import parse_json

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class ExactJSONParser(JSONParser):
    """JSON as a connector reads it, so that a preview maps exactly what a run would map."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body: bytes = stream.read()
        try:
            value, was_careful = parse_json(body)
            if was_careful:
                orjson.dumps(value)  # TypeError for half a surrogate pair, which nothing can store or send back
        except (ValueError, TypeError, RecursionError) as error:
            raise ParseError(f"The request is not JSON: {error}.") from None
        if _NUL.search(body):
            raise ParseError("The request holds the character NUL, which cannot be stored. Take it out.")
        return value
