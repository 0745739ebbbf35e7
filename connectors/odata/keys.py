"""The key of an entity: what is kept as its reference, and what stands in the brackets of its address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.odata.literals import edm_type, literal, predicate, split_key
from connectors.page_records import exact_text
from connectors.paths import get
from hub.common.records import joined_key

_PART = re.compile(r"(\w+)=(?:'((?:[^']|'')*)'|([^,]*))")


class EntityKey:
    """A reference is the key as readings give it: a bare value, or those of several fields with bars between them."""

    def __init__(self, names: Sequence[str], fields: Mapping[str, Any]) -> None:
        self.names, self._fields = tuple(names), fields

    def ref(self, record: Any) -> str | None:
        """The reference of a record that the service showed, None when it does not hold its whole key."""
        values = [exact_text(get(record, name)) for name in self.names] if isinstance(record, dict) else []
        if not values or any(value in (None, "") for value in values):
            return None
        return joined_key([str(value) for value in values])

    def from_predicate(self, text: str) -> str | None:
        """The reference out of what stands in the brackets of an address, None when the key is not whole."""
        return self.ref(key_values(text, self.names))

    def predicate(self, ref: str | None) -> str | None:
        """What stands in the brackets for a reference."""
        if ref is None or not self.names:
            return ref
        if len(self.names) == 1:
            return literal(ref, edm_type(self._fields, self.names[0]), field=self.names[0])
        return predicate(split_key(ref, self.names), self.names, self._fields)


def key_values(inner: str, names: Sequence[str]) -> dict[str, str]:
    """The key fields in the brackets of an address; a bare value (without its quotes) belongs to a single key."""
    if len(names) == 1 and not inner.startswith(f"{names[0]}="):
        return {names[0]: inner}
    parts = {name: quoted.replace("''", "'") or bare for name, quoted, bare in _PART.findall(inner)}
    return {name: parts[name] for name in names if name in parts}
