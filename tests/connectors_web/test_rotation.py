from __future__ import annotations

import io
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from connectors.models import Connection
from hub.common.errors import ConfigError

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def test_the_old_key_can_be_dropped_afterwards(settings: Any, make_connection: Any) -> None:
    settings.HUB_FIELD_KEYS = [OLD]
    make_connection("one", secrets={"token": "first"})
    make_connection("two", secrets={})
    before = Connection.history.count(), Connection.objects.get(slug="one").updated_at
    settings.HUB_FIELD_KEYS = [NEW, OLD]
    assert rotate().startswith("2 encrypted values")
    settings.HUB_FIELD_KEYS = [NEW]
    assert Connection.objects.get(slug="one").secrets == {"token": "first"}
    assert (Connection.history.count(), Connection.objects.get(slug="one").updated_at) == before
    settings.HUB_FIELD_KEYS = [OLD]
    with pytest.raises(ConfigError, match="cannot be decrypted"):
        Connection.objects.get(slug="one")


def test_a_value_that_no_key_fits_is_named_and_the_others_are_rotated(settings: Any, make_connection: Any) -> None:
    settings.HUB_FIELD_KEYS = [OLD]
    make_connection("one", secrets={"token": "first"})
    settings.HUB_FIELD_KEYS = [Fernet.generate_key().decode()]
    lost = make_connection("two", secrets={"token": "second"})
    settings.HUB_FIELD_KEYS = [NEW, OLD]
    with pytest.raises(ConfigError, match=f"1 of 2 values could not be read:\nconnection {lost.pk}"):
        rotate()
    settings.HUB_FIELD_KEYS = [NEW]
    assert Connection.objects.get(slug="one").secrets == {"token": "first"}
