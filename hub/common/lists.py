"""Lists: pages by keyset, filters that live in the URL, exports of the same address.

page = paginate(runs, request, order=("-started_at", "-id"))
if fmt: return export_response(runs, COLUMNS, fmt, name="runs")

urlpatterns = list_urls("runs/", views.run_list, "run_list")        # /runs/ and /runs.csv, /runs.json
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

import orjson
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

M = TypeVar("M", bound=Model)

PAGE_SIZES = (50, 100, 200)


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[M]):
    """One page of rows, and the cursors of its neighbours ("" when there is none). Iterates over its rows."""

    rows: list[M]
    newer: str
    older: str
    size: int

    def __iter__(self) -> Iterator[M]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes to choose from."""
        return PAGE_SIZES


def paginate(
    rows: QuerySet[M], request: HttpRequest, *, order: Sequence[str] = ("-id",), page_size: int = PAGE_SIZES[0]
) -> KeysetPage[M]:
    """The page that `?after=` or `?before=` names, else the first one; `?size=` may choose another size.

    `order` names columns or annotations that are never null; the primary key is added so that no two rows are equal.
    Pages stay stable while rows are added. A cursor that cannot be read leads to the first page.
    """
    order = _with_key(order, rows.model)
    size = _size(request, page_size)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    if before and (seek := _seek(rows, _reversed(order), before)):
        found = list(rows.order_by(*_reversed(order)).filter(seek)[: size + 1])
        return _page(found[:size][::-1], order, size, has_newer=len(found) > size, has_older=True)
    seek = _seek(rows, order, after) if after else None
    found = list((rows.filter(seek) if seek else rows).order_by(*order)[: size + 1])
    return _page(found[:size], order, size, has_newer=seek is not None, has_older=len(found) > size)


def _page(rows: list[M], order: Sequence[str], size: int, *, has_newer: bool, has_older: bool) -> KeysetPage[M]:
    newer = _cursor(rows[0], order) if rows and has_newer else ""
    older = _cursor(rows[-1], order) if rows and has_older else ""
    return KeysetPage(rows, newer, older, size)


def _size(request: HttpRequest, default: int) -> int:
    wanted = request.GET.get("size", "")
    return int(wanted) if wanted in {str(size) for size in PAGE_SIZES} else default


def _with_key(order: Sequence[str], model: type[Model]) -> tuple[str, ...]:
    key, named = model._meta.pk.name, {name.lstrip("-") for name in order}
    parts = getattr(model._meta.pk, "field_names", (key,))  # of a composite key
    if named & {key, "pk"} or named.issuperset(parts):
        return tuple(order)
    return (*order, f"-{key}" if order and order[-1].startswith("-") else key)


def _reversed(order: Sequence[str]) -> tuple[str, ...]:
    return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in order)


def _cursor(row: Model, order: Sequence[str]) -> str:
    values = [attrgetter(name.lstrip("-").replace("__", "."))(row) for name in order]
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def _seek(rows: QuerySet[Any], order: Sequence[str], cursor: str) -> Q | None:
    """Rows beyond the cursor: a > x, or a = x and b > y, and so on; None when the cursor is not one of ours.

    The bound on the first column alone says nothing new, but lets the database start in the middle of an index.
    """
    try:
        texts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_field(rows, name).to_python(str(text)) for name, text in zip(order, texts, strict=True)]
    except (ValueError, TypeError, binascii.Error, ValidationError, FieldDoesNotExist, AttributeError):
        return None
    seek, equal = Q(), Q()
    for name, value in zip(order, values, strict=True):
        column, beyond = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
        seek |= equal & Q(**{f"{column}__{beyond}": value})
        equal &= Q(**{column: value})
    first = "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{order[0].lstrip('-')}__{first}": values[0]}) & seek


def _field(rows: QuerySet[Any], name: str) -> Any:
    """The field behind a path such as `-sync__name`, or behind an annotation."""
    name = name.lstrip("-")
    if name in rows.query.annotations:
        return rows.query.annotations[name].output_field
    model: Any = rows.model
    *steps, last = name.split("__")
    for step in steps:
        model = model._meta.get_field(step).related_model
    return model._meta.pk if last == "pk" else model._meta.get_field(last)


def list_urls(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    """The list's address and its export twins, `runs/` and `runs.csv`; the view gets `fmt`, "" or csv or json."""
    twin = rf"^{route.rstrip('/')}\.(?P<fmt>csv|json)$"
    return [path(route, view, {"fmt": ""}, name=name), re_path(twin, view, name=f"{name}_export")]
