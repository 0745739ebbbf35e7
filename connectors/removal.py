"""Removing systems, connections and streams: only what nothing uses, and a sentence that names the users otherwise."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model, ProtectedError
from django.db.models.deletion import Collector

from hub.common.errors import ConfigError


class InUse(ConfigError):
    """Something cannot be removed because other things need it."""

    code = "IN_USE"


def users_of(found: Model) -> list[str]:
    """What keeps a system, connection or stream from being removed, as words such as `mapping “Clients”`."""
    try:
        Collector(using=DEFAULT_DB_ALIAS, origin=found).collect([found])
    except ProtectedError as error:
        return sorted({f"{each._meta.verbose_name} “{each}”" for each in error.protected_objects})
    return []


@transaction.atomic
def delete(found: Model) -> None:
    """Remove a system, connection or stream that nothing uses; raises InUse with a sentence that names the users."""
    if names := users_of(found):
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        what = str(found._meta.verbose_name).capitalize()
        raise InUse(f"{what} “{found}” is used by {', '.join(names[:5])}{more}.", fix="Remove those first.")
    found.delete()
