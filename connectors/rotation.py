"""Re-encrypting what is stored with the newest key, so that an older key can be thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db import models, transaction

from hub.common.encryption import EncryptedJSONField
from hub.common.errors import ConfigError


@dataclass(slots=True)
class Rotation:
    """How many values are now encrypted with the newest key, and which could not be read by any key."""

    done: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate_keys() -> Rotation:
    """Read every encrypted value of every model with whichever key fits, and store it under the newest one."""
    found = Rotation()
    for model, column in _encrypted_columns():
        for pk in model._base_manager.order_by("pk").values_list("pk", flat=True):
            try:
                _rotate(model, column, pk)
                found.done += 1
            except ConfigError as error:
                found.unreadable.append(f"{model._meta.verbose_name} {pk}: {error.what}")
    return found


def _encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models():
        for column in model._meta.get_fields():
            if isinstance(column, EncryptedJSONField) and column.model is model:
                yield model, column.name


@transaction.atomic
def _rotate(model: type[models.Model], column: str, pk: int) -> None:
    """One row at a time and locked: the engine may replace a token meanwhile. Neither history nor times change."""
    rows = model._base_manager.filter(pk=pk)
    value = rows.select_for_update().values_list(column, flat=True).first()
    if value is not None:
        rows.update(**{column: value})
