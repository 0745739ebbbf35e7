"""manage.py rotate_keys: re-encrypt all stored secrets with the first key of HUB_FIELD_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from connectors.rotation import rotate_keys
from hub.common.errors import ConfigError


class Command(BaseCommand):
    help = "Re-encrypt all stored secrets with the first key of HUB_FIELD_KEYS; the others can then be removed."

    def handle(self, **options: Any) -> None:
        found = rotate_keys()
        if found.unreadable:
            raise ConfigError(
                f"{len(found.unreadable)} of {found.done + len(found.unreadable)} values could not be read:\n"
                + "\n".join(found.unreadable),
                fix="Add the key that was used before to HUB_FIELD_KEYS, or enter these secrets again. Keep all keys.",
                code="SECRET_KEY_LOST",
            )
        self.stdout.write(f"{found.done} encrypted values now use the newest key. Older keys can be removed.")
