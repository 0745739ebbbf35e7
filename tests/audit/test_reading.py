"""The audit is read in words on the page and in codes over the API, by those who may."""

from __future__ import annotations

import pytest
from django.test import Client

from connectors import services as connections
from governance.audit import writing
from governance.audit.words import act_words, detail_words, kind_words
from governance.models import AuditEntry
from hub.accounts import services as accounts
from hub.common.records import StreamInfo
from tests.sync import builders as build

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client: Client, ada):
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_codes_become_words():
    assert (act_words("sync.paused"), act_words("access.token")) == ("Sync paused", "API token made")
    assert (kind_words("ValueMap"), kind_words("User")) == ("Value map", "Person")
    assert detail_words({"is_read_only": True, "ids": [1, 2], "filter": ""}) == [
        ("Is read only", "yes"),
        ("Ids", "1, 2"),
    ]


def test_the_page_leads_from_an_act_to_all_acts_on_its_object(signed_in, ada, mallory):
    accounts.set_roles(mallory, {("viewer", None)}, by=ada)
    accounts.create_token(ada, name="nightly", days=1, by=ada)
    page = signed_in.get("/audit/").content.decode()
    assert "Role given" in page
    assert f"?kind=User&amp;name={mallory.email}" in page.replace("%40", "@")
    filtered = signed_in.get("/audit/", {"kind": "User", "name": mallory.email})
    assert {row.name for row in filtered.context["page"].rows} == {mallory.email}


def test_the_api_gives_each_entry_its_place_in_the_chain(signed_in, ada, mallory):
    accounts.set_roles(mallory, {("viewer", None)}, by=ada)
    writing.seal()
    entry = AuditEntry.objects.get(act="role.given", name=mallory.email)
    found = signed_in.get("/api/v1/audit/", {"act": "role.given", "kind": "User", "name": mallory.email}).json()[
        "results"
    ]
    assert [(row["id"], row["actor"], row["seq"]) for row in found] == [(entry.pk, str(ada), entry.seal.seq)]
    assert found[0]["hash"] == bytes(entry.seal.hash).hex()
    assert signed_in.get(f"/api/v1/audit/{entry.pk}/").json() == found[0]
    assert (
        signed_in.get("/api/v1/audit/", {"until": entry.at.isoformat(), "name": mallory.email}).json()["results"] == []
    )


def test_the_api_wants_the_right_to_view_the_audit(client, mallory):
    client.force_login(mallory, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/audit/").status_code == 403


def test_saving_a_connection_or_a_stream_is_an_act_without_its_secrets(domains, ada):
    stream = build.stream(build.connection("psa"), "projects")
    stream.connection.name = "Kantata, new tenant"
    connections.save_connection(stream.connection, secrets={"token": "s3cr3t-of-psa"}, by=ada)
    saved = AuditEntry.objects.latest("pk")
    assert (saved.act, saved.kind, saved.details) == ("connection.saved", "Connection", {"secrets": ["token"]})
    assert saved.before_hash != saved.after_hash
    assert "s3cr3t" not in str(AuditEntry.objects.values())
    connections.change_stream(stream, label="Projects of the firm", by=ada)
    assert AuditEntry.objects.latest("pk").act == "stream.saved"
    info = StreamInfo("tasks", "Tasks")
    made = connections.save_stream(connection=stream.connection, info=info, slug="tasks", key_fields=["id"], by=ada)
    newest = AuditEntry.objects.latest("pk")
    assert (newest.name, newest.before_hash) == (made.slug, "")
