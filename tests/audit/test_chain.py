"""Nobody changes, removes, moves or adds an entry of the audit unseen."""

from __future__ import annotations

import json
import threading
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.audit import chain, writing
from governance.audit.verifying import verify
from governance.models import AuditEntry, AuditPending, AuditSeal
from hub.common.acts import Act, tell

pytestmark = pytest.mark.django_db(transaction=True)


def acts(number: int) -> None:
    with transaction.atomic():
        for n in range(number):
            tell(Act("thing.changed", "Thing", f"t-{n}", reason="Because.", before={"n": n}, after={"n": n + 1}))


def as_owner(sql: str, *values: object) -> None:
    """What somebody does who has the database in hand."""
    tables = ("governance_auditentry", "governance_auditseal")
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"alter table {table} disable trigger user")
        cursor.execute(sql, values)
        for table in tables:
            cursor.execute(f"alter table {table} enable trigger user")


def named() -> list[tuple[int, str]]:
    return [(found.seq, found.what) for found in verify().tampered]


def test_an_empty_log_is_sound():
    assert verify().as_data() == {"rows": 0, "tampered": [], "ok": True}


def test_acts_are_sealed_in_one_chain_when_they_commit():
    acts(3)
    acts(2)
    assert verify().as_data() == {"rows": 5, "tampered": [], "ok": True}
    seals = list(AuditSeal.objects.order_by("seq"))
    assert [bytes(s.previous) for s in seals] == [chain.GENESIS, *[bytes(s.hash) for s in seals[:-1]]]
    assert not AuditPending.objects.exists()


def test_an_act_that_is_rolled_back_was_none():
    with transaction.atomic():
        acts(1)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()
    assert verify().ok


def test_an_entry_whose_process_ended_before_its_seal_is_sealed_later(monkeypatch):
    monkeypatch.setattr(writing, "_seal_now", lambda: None)
    acts(2)
    assert AuditPending.objects.count() == 2
    assert writing.seal() == 2
    assert verify().rows == 2


COLUMNS = [
    ("act", "'other.act'"),
    ("kind", "'Other'"),
    ("name", "'t-x'"),
    ("domain", "'x'"),
    ("actor_id", "7"),
    ("actor", "'Mallory'"),
    ("on_behalf_of", "'Grace'"),
    ("reason", "'Another.'"),
    ("before_hash", "'00'"),
    ("after_hash", "'00'"),
    ("details", """'{"a": 1}'"""),
    ("at", "at + interval '1 microsecond'"),
]


@pytest.mark.parametrize(("column", "value"), COLUMNS, ids=[name for name, _ in COLUMNS])
def test_a_change_of_any_column_is_named(column, value):
    acts(4)
    entry = AuditSeal.objects.get(seq=2).entry_id
    as_owner(f"update governance_auditentry set {column} = {value} where id = %s", entry)
    assert named() == [(2, "The entry or its seal was changed.")]


def test_a_removed_entry_is_named():
    acts(4)
    as_owner("delete from governance_auditentry where id = %s", AuditSeal.objects.get(seq=3).entry_id)
    assert named() == [(3, "The entry was removed.")]


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_link_that_was_removed_with_its_entry_is_named_wherever_it_stood(seq):
    acts(5)
    as_owner("delete from governance_auditentry where id = %s", AuditSeal.objects.get(seq=seq).entry_id)
    as_owner("delete from governance_auditseal where seq = %s", seq)
    assert named() == [(seq, "The link was removed.")]


def test_two_entries_that_changed_places_are_named():
    acts(4)
    as_owner(
        "update governance_auditseal s set entry_id = -o.entry_id from governance_auditseal o"
        " where s.seq in (2, 3) and o.seq = 5 - s.seq"
    )
    as_owner("update governance_auditseal set entry_id = -entry_id where entry_id < 0")
    assert [seq for seq, _ in named()] == [2, 3]


def test_an_entry_that_was_slipped_in_is_named():
    acts(2)
    as_owner(
        "insert into governance_auditentry (act, kind, name, domain, actor, on_behalf_of, reason, before_hash, after_hash,"
        " details) values ('x', '', '', '', 'Mallory', '', '', '', '', '{}')"
    )
    assert [what for _, what in named()] == ["The entry has no seal."]


def test_a_chain_that_was_made_anew_without_the_key_is_found():
    acts(3)
    row = AuditSeal.objects.get(seq=3)
    as_owner("update governance_auditentry set actor = 'Mallory' where id = %s", row.entry_id)
    with connection.cursor() as cursor:
        cursor.execute(f"select {chain.SELECT} from governance_auditentry e where e.id = %s", [row.entry_id])
        entry = list(cursor.fetchone())
    forged = chain.link(bytes(row.previous), 3, entry)
    as_owner("update governance_auditseal set hash = %s, mac = %s where seq = 3", forged, chain.mac(forged, b"guessed"))
    as_owner("update governance_audithead set hash = %s", forged)
    assert (3, "The seal was not made by this hub.") in named()


def test_a_head_that_was_put_back_or_taken_away_is_found():
    acts(3)
    as_owner("update governance_audithead set seq = 2")
    assert named() == [(0, "The head of the chain was changed.")]
    as_owner("delete from governance_audithead")
    assert named() == [(0, "The head of the chain was removed.")]


def test_a_thousand_of_a_thousand_are_named():
    acts(3_000)
    as_owner("update governance_auditentry set reason = 'No.' where id in (select entry_id from governance_auditseal"
             " where seq %% 3 = 1)")  # fmt: skip
    report = verify()
    assert [found.seq for found in report.tampered] == list(range(1, 3_000, 3))
    assert len(report.tampered) == 1_000


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)))
def test_exactly_the_touched_are_named(changed, removed):
    with connection.cursor() as cursor:
        cursor.execute(
            "truncate governance_auditentry, governance_auditseal, governance_auditpending, governance_audithead"
        )
    acts(30)
    with connection.cursor() as cursor:
        cursor.execute("select seq, entry_id from governance_auditseal")
        entries = dict(cursor.fetchall())
    as_owner("update governance_auditentry set name = 'x' where id = any(%s)", [entries[n] for n in changed])
    as_owner("delete from governance_auditentry where id = any(%s)", [entries[n] for n in removed])
    assert {seq for seq, _ in named()} == changed | removed


@pytest.mark.parametrize("table", ["governance_auditentry", "governance_auditseal"])
@pytest.mark.parametrize("statement", ["update {} set {} = {}", "delete from {}", "truncate {}"])
@pytest.mark.parametrize("role", ["syncline_web", "syncline_engine"])
def test_the_processes_may_only_add(table, statement, role):
    acts(1)
    column = "id" if table.endswith("entry") else "seq"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"set local role {role}")
        with pytest.raises(DatabaseError, match="permission denied"):
            cursor.execute(statement.format(table, column, column))
        transaction.set_rollback(True)
    assert verify().ok


def test_not_even_the_owner_changes_an_entry_by_mistake():
    acts(1)
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        AuditEntry.objects.update(reason="No.")


def test_acts_at_the_same_time_make_one_whole_chain():
    errors = []

    def work(n: int) -> None:
        try:
            for step in range(10):
                try:
                    with transaction.atomic():
                        tell(Act("thing.changed", "Thing", f"{n}-{step}"))
                        if step % 3 == 2:
                            raise InterruptedError
                except InterruptedError:
                    pass
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert verify().as_data() == {"rows": 42, "tampered": [], "ok": True}


def test_the_command_says_one_document_and_ends_with_two_when_somebody_touched_it():
    acts(2)
    out = StringIO()
    call_command("verify_audit", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"rows": 2, "tampered": [], "ok": True}
    as_owner("update governance_auditentry set actor = 'x' where name = 't-1'")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit", "--json", stdout=out)
    assert ended.value.code == 2
    assert json.loads(out.getvalue())["tampered"][0]["seq"] == 2


def test_a_key_that_was_rotated_still_proves_older_seals(settings):
    acts(1)
    settings.HUB_FIELD_KEYS = ["bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleTE=", *settings.HUB_FIELD_KEYS]
    acts(1)
    assert verify().ok
    settings.HUB_FIELD_KEYS = settings.HUB_FIELD_KEYS[:1]
    assert not verify().ok
