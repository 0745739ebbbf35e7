"""What keeps an object from being removed: rows of other tables that need it, as a sentence that names them."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, ProtectedError
from django.db.models.deletion import Collector

from hub.common.errors import ConfigError

NAMED = 5


class InUse(ConfigError):
    """Something cannot be removed because other things need it."""

    code = "IN_USE"


def users_of(found: Model) -> list[str]:
    """What keeps an object from being removed, as words such as `mapping “Clients”`."""
    try:
        Collector(using=DEFAULT_DB_ALIAS, origin=found).collect([found])
    except ProtectedError as error:
        return sorted({f"{each._meta.verbose_name} “{each}”" for each in error.protected_objects})
    return []


def refuse_used(found: Model) -> None:
    """Raises InUse with a sentence that names the users."""
    if names := users_of(found):
        what = str(found._meta.verbose_name)
        raise InUse(f"{what[:1].upper()}{what[1:]} “{found}” is used by {listed(names)}.", fix="Remove those first.")


def listed(names: list[str]) -> str:
    """The first names and how many more there are: `mapping “Clients”, mapping “Projects” and 3 more`."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
