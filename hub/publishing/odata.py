"""One request for an entity set: filtered, ordered, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import DataError
from django.db.models import F, QuerySet

from governance.models import Entity
from hub.common.money import decimal_text, parse_decimal
from hub.publishing.feed import make_cursor, read_cursor
from hub.publishing.filtering import Filter, known, order_of, refused
from hub.publishing.model import KEY, Property, properties_of, shown
from hub.records.models import CanonicalRecord
from hub.records.queries import records_of

PAGE, MOST_SKIPPED = 500, 100_000
_OPTIONS = ("$top", "$skip", "$filter", "$select", "$orderby", "$count", "$skiptoken", "$format")


@dataclass(slots=True)
class Asked:
    """The system query options of a request."""

    select: list[str] = field(default_factory=list)
    top: int | None = None
    skip: int = 0
    after: str = ""
    is_counted: bool = False


class EntitySet:
    """Reads one entity's records. Raises ConfigError for options that cannot be read or are not understood."""

    def __init__(self, entity: Entity, options: Mapping[str, str]) -> None:
        self.entity, self.options = entity, options
        self.properties = properties_of(entity)
        odd = next((name for name in options if name.startswith("$") and name not in _OPTIONS), None)
        if odd:
            raise refused(f"The option {odd} is not understood.", f"Use: {', '.join(_OPTIONS)}.")
        self.asked = self._asked()
        self.order = order_of(options.get("$orderby", ""), self.properties)

    def _asked(self) -> Asked:
        given = self.options
        select = [name.strip() for name in given.get("$select", "").split(",") if name.strip() not in ("", "*")]
        for name in select:
            known(self.properties, name)
        token = given.get("$skiptoken", "")
        return Asked(
            select or list(self.properties),
            _number("$top", given["$top"]) if "$top" in given else None,
            _number("$skip", given.get("$skip", "0")),
            read_cursor(token) if token else "",
            given.get("$count", "false") == "true",
        )

    def answer(self, address: str) -> dict[str, Any]:
        """The page as OData's JSON; `address` is that of the entity set."""
        rows = self.matching()
        size = PAGE if self.asked.top is None else min(self.asked.top, PAGE)
        try:
            found = list(self._page(rows)[: size + 1])
            count = {"@odata.count": rows.count()} if self.asked.is_counted else {}
        except DataError:
            raise refused("A record holds a value of another type in a field that is compared.") from None
        values = [self.shown(each) for each in found[:size]]
        context = {"@odata.context": f"{address.rpartition('/')[0]}/$metadata#{self.entity.slug}"}
        return {**context, **count, "value": values, **self._next(found, size, address)}

    def matching(self) -> QuerySet[CanonicalRecord]:
        rows = records_of(self.entity)
        names = {name for name, _ in self.order}
        text = self.options.get("$filter", "")
        found = Filter(text, self.properties) if text else None
        names |= found.used if found else set()
        rows = rows.annotate(**{f"f_{name}": self.properties[name].expression for name in sorted(names)})
        return rows.filter(found.q) if found else rows

    def _page(self, rows: QuerySet[CanonicalRecord]) -> QuerySet[CanonicalRecord]:
        """By key after the last one, unless another order is asked for."""
        order = [
            F(f"f_{name}").desc(nulls_last=True) if down else F(f"f_{name}").asc(nulls_first=True)
            for name, down in self.order
        ]
        if self.asked.after and not order:
            rows = rows.filter(key__gt=self.asked.after)
        return rows.order_by(*order, "key")[self.asked.skip :]

    def _next(self, found: list[CanonicalRecord], size: int, address: str) -> dict[str, str]:
        """The address of the next page, unless this one was all that was asked for."""
        top = self.asked.top
        if len(found) <= size or (top is not None and top <= PAGE):
            return {}
        kept = {name: value for name, value in self.options.items() if name not in ("$skip", "$skiptoken", "$top")}
        left = {"$top": str(top - PAGE)} if top is not None else {}
        place = (
            {"$skip": str(self.asked.skip + size)} if self.order else {"$skiptoken": make_cursor(found[size - 1].key)}
        )
        return {"@odata.nextLink": f"{address}?{urlencode({**kept, **left, **place})}"}

    def shown(self, record: CanonicalRecord) -> dict[str, Any]:
        return {name: shown_of(self.properties[name], record) for name in self.asked.select}


def shown_of(property_: Property, record: CanonicalRecord) -> Any:
    if property_.column:
        return getattr(record, property_.column)
    value = record.body.get(property_.name)
    if property_.type == "Edm.Decimal" and value is not None:
        return decimal_text(parse_decimal(value))
    return shown(property_, value)


def one(entity: Entity, key: str) -> dict[str, Any] | None:
    """The record under a key; None where there is none."""
    record = records_of(entity).filter(**{KEY.column: key}).first()
    return {name: shown_of(each, record) for name, each in properties_of(entity).items()} if record else None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise refused(f"{name} is a whole number, not {text[:20]!r}.")
    if name == "$skip" and int(text) > MOST_SKIPPED:
        raise refused(f"$skip passes at most {MOST_SKIPPED:,} records.", "Follow @odata.nextLink instead.")
    return int(text)
