"""ModelKind: a kind that is one Django model, declared field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from hub.common.errors import ConfigError, HubError
from hub.common.registry import Change, Document, Problem
from hub.common.usage import refuse_used


@dataclass(frozen=True, slots=True)
class Attr:
    """A plain attribute. `name` is the document's word, `attribute` the model's where it differs."""

    name: str
    attribute: str = ""
    required: bool = False

    @property
    def column(self) -> str:
        return self.attribute or self.name


@dataclass(frozen=True, slots=True)
class Ref:
    """A foreign key, written down as the other object's slug; `kind` is empty for objects that ship with the hub."""

    name: str
    model: Callable[[], type[models.Model]]
    kind: str = ""
    required: bool = False

    def find(self, slug: str) -> models.Model:
        model = self.model()
        found = model._default_manager.filter(slug=slug).first()
        if found is None:
            raise ConfigError(f"There is no {model._meta.verbose_name} {slug!r}.", where=self.name)
        return found


@dataclass
class ModelKind:
    """A kind of one model with a slug. Override `extra_dump` / `extra_apply` for what hangs below a row."""

    name: str
    model: type[models.Model]
    fields: Sequence[Attr | Ref]
    after: Sequence[str] = ()
    extra: Sequence[str] = field(default_factory=tuple)
    is_removable: bool = False

    def slugs(self) -> Iterable[str]:
        return self.model._default_manager.order_by("slug").values_list("slug", flat=True)

    def get(self, slug: str) -> Any:
        return self.model._default_manager.filter(slug=slug).first()

    def dump(self, slug: str) -> Document | None:
        found = self.get(slug)
        if found is None:
            return None
        document: Document = {"kind": self.name, "slug": slug}
        for item in self.fields:
            value = self._value(found, item)
            if value != self._default(item):
                document[item.name] = value
        return document | self.extra_dump(found)

    def _value(self, found: Any, item: Attr | Ref) -> Any:
        if isinstance(item, Ref):
            other = getattr(found, item.name)
            return other.slug if other else None
        return getattr(found, item.column)

    def _default(self, item: Attr | Ref) -> Any:
        """Values that equal the model's default are left out, so that documents say only what matters."""
        if item.required or isinstance(item, Ref):
            return None
        column = self.model._meta.get_field(item.column)
        assert isinstance(column, models.Field)
        return "" if column.get_default() is None and column.empty_strings_allowed else column.get_default()

    def validate(self, document: Document) -> list[Problem]:
        known = {"kind", "slug", *(item.name for item in self.fields), *self.extra}
        problems = [
            Problem(name, f"{self.name} has no field {name!r}. Known: {', '.join(sorted(known - {'kind', 'slug'}))}.")
            for name in document
            if name not in known
        ]
        problems += [
            Problem(item.name, f"{self.name} needs {item.name!r}.")
            for item in self.fields
            if item.required and document.get(item.name) in (None, "", [])
        ]
        problems += [p for item in self.fields if isinstance(item, Attr) for p in self._check(item, document)]
        return problems or self.extra_validate(document)

    def _check(self, item: Attr, document: Document) -> list[Problem]:
        if item.name not in document:
            return []
        column = self.model._meta.get_field(item.column)
        assert isinstance(column, models.Field)
        try:
            column.clean(document[item.name], None)
        except ValidationError as error:
            if column.blank and document[item.name] in column.empty_values:
                return []
            return [Problem(item.name, f"{document[item.name]!r}: {message}") for message in error.messages]
        return []

    def references(self, document: Document) -> list[tuple[str, str, str]]:
        found = [
            (item.name, item.kind, str(document[item.name]))
            for item in self.fields
            if isinstance(item, Ref) and item.kind and document.get(item.name)
        ]
        return found + self.extra_references(document)

    def diff(self, document: Document) -> list[Change]:
        before = self.dump(document["slug"]) or {}
        after = self.normal(document)
        paths = [path for path in (*before, *after) if path not in ("kind", "slug")]
        return [
            Change(path, before.get(path), after.get(path))
            for path in dict.fromkeys(paths)
            if before.get(path) != after.get(path)
        ]

    def normal(self, document: Document) -> Document:
        """The document as `dump` would write it: defaults left out."""
        defaults = {item.name: self._default(item) for item in self.fields}
        return {name: value for name, value in document.items() if name not in defaults or value != defaults[name]}

    def proposal(self, document: Document) -> Document:
        """The document as it may be kept for review. Kinds with secrets keep their values out of it."""
        return self.normal(document)

    def keep_secrets(self, slug: str, secrets: dict[str, dict[str, str | None]]) -> None:
        """What the rows hold in columns of that name; the history keeps that it happened, never the values."""
        found = self.get(slug)
        for place, values in secrets.items():
            kept = {**getattr(found, place), **values}
            setattr(found, place, {name: value for name, value in kept.items() if value is not None})
        found._change_reason = f"Secret entered: {', '.join(sorted({n for v in secrets.values() for n in v}))}."
        found.save(update_fields=list(secrets))

    def apply(self, document: Document, *, by: Any) -> None:
        try:
            found = self.get(document["slug"]) or self.model(slug=document["slug"])
            for item in self.fields:
                self._set(found, item, document)
            self.before_save(found, document)
            found.full_clean(exclude=["secrets"])
            found.save()
            self.extra_apply(found, document, by=by)
        except ValidationError as error:
            raise ConfigError(
                "; ".join(error.messages), where=f"{self.name} {document['slug']}", fix="Correct it and apply again."
            ) from None
        except HubError as error:
            error.where = f"{self.name} {document['slug']}: {error.where}".rstrip(": ")
            raise

    def _set(self, found: Any, item: Attr | Ref, document: Document) -> None:
        if isinstance(item, Ref):
            slug = document.get(item.name)
            setattr(found, item.name, item.find(slug) if slug else None)
            return
        column = self.model._meta.get_field(item.column)
        assert isinstance(column, models.Field)
        setattr(found, item.column, document.get(item.name, column.get_default()))

    def remove(self, slug: str, *, by: Any) -> None:
        found = self.get(slug)
        if found is None:
            raise ConfigError(f"There is no {self.name} {slug!r}.", code="NOT_THERE")
        if not self.is_removable:
            raise ConfigError(
                f"{self.name} {slug} cannot be removed.", fix="Take it out of use on its own page.", code="KEPT"
            )
        self.before_remove(found)
        refuse_used(found)
        if by is not None:
            found._history_user = by
        found.delete()

    def notes(self, document: Document) -> list[str]:
        return []

    def below(self, slug: str) -> list[tuple[str, str]]:
        return []

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return []

    # What hangs below the row ------------------------------------------------------------------------------
    def extra_dump(self, found: Any) -> Document:
        return {}

    def extra_validate(self, document: Document) -> list[Problem]:
        return []

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        return []

    def before_save(self, found: Any, document: Document) -> None:
        """Last change before the row is saved."""

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        """Rows below the saved one."""

    def before_remove(self, found: Any) -> None:
        """Raises ConfigError where the object has to stay for a reason that no foreign key knows."""
