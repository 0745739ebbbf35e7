"""Every act of a person leaves one entry that names who, what and why; what the hub does by itself leaves none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from governance.audit.listening import FACTS
from governance.models import AuditEntry
from hub.accounts import services as accounts
from hub.common import facts
from hub.config import documents
from hub.config import services as config
from hub.sync import services as syncs
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db
CRM = {"kind": "System", "slug": "crm", "name": "CRM", "category": "crm"}


def last() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


def test_every_fact_that_is_listened_to_is_published_somewhere():
    """A fact that was renamed would silently leave the audit."""
    root = Path(settings.BASE_DIR)
    source = "\n".join(
        path.read_text()
        for package in ("hub", "connectors", "governance", "mappings", "monitoring")
        for path in (root / package).rglob("*.py")
        if path.name != "listening.py"
    )
    published = set(re.findall(r'(?:facts\.publish\(|_tell\(replay, )\s*"([a-z_]+)"', source))
    assert set(FACTS) <= published


def test_who_paused_a_sync_and_why_is_kept(domains, olga):
    firm = worlds.make()
    syncs.set_paused(sync=firm.inbound, is_paused=True, reason="The source is being moved.", by=olga)
    assert (last().act, last().kind, last().name) == ("sync.paused", "Sync", firm.inbound.slug)
    assert (last().actor_id, last().actor, last().reason) == (olga.pk, str(olga), "The source is being moved.")
    syncs.set_paused(sync=firm.inbound, is_paused=False, reason="", by=olga)
    assert last().act == "sync.resumed"


def test_what_the_hub_does_by_itself_is_not_an_act():
    before = AuditEntry.objects.count()
    facts.publish("run_cancelled", run=None, by=None)
    assert AuditEntry.objects.count() == before


def test_roles_and_tokens_are_kept_without_their_secrets(ada, mallory):
    accounts.set_roles(mallory, {("viewer", None)}, by=ada)
    assert (last().act, last().name, last().details["role"]) == ("role.given", mallory.email, "viewer")
    accounts.set_roles(mallory, set(), by=ada)
    assert last().act == "role.taken"
    _, secret = accounts.create_token(mallory, name="nightly", days=1, by=ada)
    assert last().act == "access.token"
    kept = AuditEntry.objects.values_list("name", "reason", "details")
    assert secret not in str(list(kept))


def test_an_applied_document_is_kept_with_the_hashes_of_before_and_after(ada):
    config.apply([documents.Source(CRM, "test", 1)], by=ada)
    first = last()
    assert (first.act, first.kind, first.name, first.before_hash) == ("config.applied", "System", "crm", "")
    config.apply([documents.Source({**CRM, "name": "Sales"}, "test", 1)], by=ada)
    assert last().before_hash == first.after_hash != last().after_hash


def test_a_contract_version_is_kept_with_its_author(domains, ada):
    from governance import services

    services.create_entity(name="Truck", slug="truck", domain=domains["resource"], by=ada)
    entry = AuditEntry.objects.get(act="contract.activated", name="truck")
    assert (entry.actor, entry.domain, entry.details) == (str(ada), "resource", {"version": 1})


def test_signing_in_and_out_are_acts(ada, browse):
    from django.contrib.auth import logout
    from django.test import RequestFactory

    client = browse(ada)
    assert last().act == "person.signed_in"
    request = RequestFactory().get("/")
    request.user, request.session = ada, client.session
    logout(request)
    assert (last().act, last().actor) == ("person.signed_out", str(ada))


def test_a_list_that_leaves_as_a_file_is_an_act(ada, browse):
    client = browse(ada)
    assert client.get("/audit.csv?by=ada").status_code == 200
    assert (last().act, last().name, last().details) == ("list.exported", "/audit.csv", {"filter": "by=ada"})
    before = AuditEntry.objects.count()
    client.get("/audit/")
    assert AuditEntry.objects.count() == before


def test_the_page_shows_filters_and_explains(ada, mallory, browse):
    accounts.set_roles(mallory, {("viewer", None)}, by=ada)
    client = browse(ada)
    entry = AuditEntry.objects.get(act="role.given", name=mallory.email)
    page = client.get("/audit/?act=role.given").content.decode()
    assert mallory.email in page
    assert "No entry matches" in client.get("/audit/?by=nobody").content.decode()
    assert "waits for its seal" in client.get(f"/audit/{entry.pk}/").content.decode()
    assert client.get("/audit/?since=1h&until=2000-01-01").status_code == 200


def test_the_export_carries_what_a_verifier_needs(ada, browse):
    browse(ada)
    rows = browse(ada).get("/audit.json").streaming_content
    assert b'"hash"' in b"".join(rows)


def test_only_who_may_see_the_audit_sees_it(olga, grace, browse):
    assert browse(olga).get("/audit/").status_code == 403
    assert browse(grace).get("/audit/").status_code == 403


def test_a_name_with_a_zero_byte_is_kept_without_it(ada, domains):
    build.connection("crm")
    facts.publish("held_discarded", sync_id=1, external_id="a\x00b", reason="x\x00", by=ada)
    assert last().name == "ab"
