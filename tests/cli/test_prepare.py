"""The embedded database is prepared when what ships has changed, and looked at no more often."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.cli import main, supervisor


@pytest.fixture
def prepared(monkeypatch: Any) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(supervisor, "migrate", lambda: calls.append("migrate"))
    return calls


def start(folder: Path, *, embedded: bool = True) -> None:
    services: Any = SimpleNamespace(data=folder, postgres=embedded or None)
    supervisor.Supervisor(services, "127.0.0.1", 0, with_demo=False)._prepare()


def test_a_second_start_does_not_prepare_again(tmp_path: Path, prepared: list[str]) -> None:
    start(tmp_path)
    start(tmp_path)
    assert prepared == ["migrate"]


def test_a_new_migration_is_applied(tmp_path: Path, prepared: list[str], monkeypatch: Any) -> None:
    start(tmp_path)
    migrations = tmp_path / "app" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001_initial.py").write_text("")
    monkeypatch.setattr(supervisor, "ROOT", tmp_path)
    start(tmp_path)
    assert prepared == ["migrate", "migrate"]


def test_a_server_of_ones_own_is_prepared_at_every_start(tmp_path: Path, prepared: list[str]) -> None:
    start(tmp_path, embedded=False)
    start(tmp_path, embedded=False)
    assert prepared == ["migrate", "migrate"]


def test_what_failed_is_tried_again(tmp_path: Path, prepared: list[str], monkeypatch: Any) -> None:
    def fail() -> None:
        raise SystemExit("The database could not be prepared.")

    monkeypatch.setattr(supervisor, "migrate", fail)
    with pytest.raises(SystemExit):
        start(tmp_path)
    monkeypatch.setattr(supervisor, "migrate", lambda: prepared.append("migrate"))
    start(tmp_path)
    assert prepared == ["migrate"]


@pytest.mark.parametrize("command", sorted(main.AS_OWNER))
def test_a_command_of_the_owner_makes_the_next_start_look(tmp_path: Path, command: str, monkeypatch: Any) -> None:
    mark = tmp_path / main.PREPARED_MARK
    mark.write_text("as before")
    monkeypatch.setenv("HUB_DATA", str(tmp_path))
    monkeypatch.setenv("HUB_DB_ROLE", "owner")
    monkeypatch.setattr(main, "_execute", lambda argv: None)
    main._with_services(["manage.py", command])
    assert not mark.exists()
