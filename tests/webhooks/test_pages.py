"""Pages, API and documents of webhooks: who may what, and a secret that is shown once and stands nowhere else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from governance.services import activate_schema
from hub.accounts.services import create_token
from hub.common import registry
from hub.config import documents
from hub.config import services as config
from hub.records.models import CanonicalRecord
from hub.webhooks import services
from hub.webhooks.models import Endpoint, Message
from tests.webhooks.conftest import World, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["/webhooks/", "/webhooks/psa/", "/webhooks.csv", "/webhooks.json"]
CANARY = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"


def api_of(user: Any, *, read_only: bool = False) -> APIClient:
    _, secret = create_token(user, name="test", days=1, by=user, is_read_only=read_only)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def filled(world: World) -> Message:
    world.send(world.row(1, 1, password="p4ss-canary"), message_id="m1")
    world.work()
    return Message.objects.get()


# Pages -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_the_pages_and_somebody_without_a_role_none(
    world: World, browse: Any, make_person: Any, mallory: Any, path: str
) -> None:
    filled(world)
    assert browse(make_person("Vera", "viewer")).get(path).status_code == 200
    assert browse(mallory).get(path).status_code == 403


def test_a_webhook_of_another_domain_does_not_exist(world: World, browse: Any, make_person: Any) -> None:
    message = filled(world)
    stranger = browse(make_person("Bill", ("integration_admin", "billing-gl")))
    assert b"Calls of psa" not in stranger.get("/webhooks/").content
    for path in ("/webhooks/psa/", "/webhooks/psa/settings/", f"/webhooks/psa/messages/{message.pk}/"):
        assert stranger.get(path).status_code == 404
    for path in ("/webhooks/psa/rotate/", "/webhooks/psa/test/", "/webhooks/psa/drop-older/"):
        assert stranger.post(path).status_code == 404


@pytest.mark.parametrize("path", ["new/", "psa/settings/", "psa/rotate/", "psa/drop-older/", "psa/test/"])
def test_a_viewer_changes_nothing(world: World, browse: Any, make_person: Any, path: str) -> None:
    before = Endpoint.objects.get().secrets
    assert browse(make_person("Vera", "viewer")).post(f"/webhooks/{path}", {"name": "Mine"}).status_code == 403
    assert Endpoint.objects.get().secrets == before


def test_only_who_may_edit_sees_the_address(world: World, browse: Any, make_person: Any, ada: Any) -> None:
    assert world.endpoint.path in browse(ada).get("/webhooks/psa/").content.decode()
    viewer = make_person("Vera", "viewer")
    for path in PAGES:
        assert world.endpoint.path not in b"".join(browse(viewer).get(path)).decode()
    assert api_of(viewer).get("/api/v1/webhooks/psa/").json()["url"] is None


def test_a_made_webhook_shows_its_secret_once(world: World, browse: Any, ada: Any) -> None:
    client = browse(ada)
    form = {"name": "From the CRM", "sync": "psa-projects", "scheme": "standard", "tolerance_seconds": "300",
            "signed_text": "body", "encoding": "hex", "event_mode": "record", "record_path": "data",
            "is_active": "on"}  # fmt: skip
    page = client.post("/webhooks/new/", form)
    made = Endpoint.objects.get(slug="from-the-crm")
    assert made.secrets["current"] in page.content.decode()
    assert page["Cache-Control"].count("no-store") == 1
    for path in ("/webhooks/", "/webhooks/from-the-crm/", "/webhooks/from-the-crm/settings/"):
        assert made.secrets["current"] not in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scheme": "hmac_sha1"}, "proof_name"),
        ({"scheme": "hmac_sha256", "proof_name": "X-S", "signed_text": "body_time"}, "timestamp_name"),
        ({"timestamp_name": "X-Time"}, "timestamp_name"),
        ({"secret": "short"}, "secret"),
        ({"tolerance_seconds": "0"}, "tolerance_seconds"),
        ({"record_path": "a..b"}, "record_path"),
        ({"deleted_path": "type"}, "deleted_values"),
        ({"id_path": "id"}, "id_path"),
        ({"slug": "new"}, "slug"),
        ({"sync": "erp-jobs"}, "sync"),
        ({"name": ""}, "name"),
    ],
)
def test_what_a_webhook_cannot_be_is_said_at_its_field(
    world: World, browse: Any, ada: Any, change: dict[str, str], field: str
) -> None:
    good = {"slug": "x", "name": "X", "sync": "psa-projects", "scheme": "standard", "tolerance_seconds": "300",
            "signed_text": "body", "encoding": "hex", "event_mode": "record"}  # fmt: skip
    page = browse(ada).post("/webhooks/new/", good | change)
    assert page.status_code == 422
    assert field in page.context["form"].errors
    sent = {name: int(value) if value.isdigit() else value for name, value in (good | change).items()}
    answer = api_of(ada).post("/api/v1/webhooks/", sent)
    assert (answer.status_code, field in json.dumps(answer.json())) == (400, True)
    assert Endpoint.objects.count() == 1


def test_settings_keep_address_and_secret(world: World, browse: Any, ada: Any) -> None:
    before = Endpoint.objects.get()
    form = {"name": "Renamed", "sync": "psa-projects", "scheme": "standard", "tolerance_seconds": "120",
            "signed_text": "body", "encoding": "hex", "event_mode": "hint", "deleted_path": "",
            "deleted_values": ""}  # fmt: skip
    assert browse(ada).post("/webhooks/psa/settings/", form).status_code == 302
    after = Endpoint.objects.get()
    assert (after.name, after.event_mode, after.is_active) == ("Renamed", "hint", False)
    assert (after.path, after.secrets) == (before.path, before.secrets)


def test_another_scheme_gets_a_secret_of_its_own_form(world: World) -> None:
    world.endpoint.scheme, world.endpoint.proof_name = "hmac_sha256", "X-Sign"
    made = services.save_endpoint(endpoint=world.endpoint, by=None)
    assert made
    assert Endpoint.objects.get().secrets == {"current": made}


def test_a_rotation_shows_the_new_secret_and_keeps_the_old_one_alive(world: World, browse: Any, ada: Any) -> None:
    old = world.endpoint.secrets["current"]
    client = browse(ada)
    page = client.post("/webhooks/psa/rotate/", {"secret": ""}).content.decode()
    now = Endpoint.objects.get().secrets
    assert now["previous"] == old
    assert now["current"] in page
    assert old not in page
    client.post("/webhooks/psa/drop-older/")
    assert Endpoint.objects.get().secrets == {"current": now["current"]}
    assert client.post("/webhooks/psa/rotate/", {"secret": "short"}).status_code == 422


@pytest.mark.parametrize("scheme", ["standard", "hmac_sha256", "hmac_sha1", "static_header", "static_query"])
def test_a_test_message_passes_the_door_and_changes_no_record(
    world: World, browse: Any, olga: Any, scheme: str
) -> None:
    name = "" if scheme == "standard" else "X-Sign"
    endpoint = make_endpoint(world.firm, "tried", scheme=scheme, proof_name=name)
    page = browse(olga).post("/webhooks/tried/test/", follow=True)
    assert "signed, proven and stored" in page.content.decode()
    message = Message.objects.get(endpoint=endpoint)
    assert (message.state, message.outcome) == ("done", "test")
    assert world.work() is None
    assert not CanonicalRecord.objects.exists()


def test_a_message_is_shown_masked_and_without_proofs(world: World, browse: Any, make_person: Any) -> None:
    message = filled(world)
    viewer = make_person("Vera", "viewer")
    page = browse(viewer).get(f"/webhooks/psa/messages/{message.pk}/").content.decode()
    listed = api_of(viewer).get("/api/v1/webhooks/psa/messages/").json()["results"]
    assert "Version 1" in page
    assert listed[0]["body"]["data"]["title"] == "Version 1"
    for text in (page, json.dumps(listed)):
        assert "p4ss-canary" not in text
        assert "v1," not in text


def test_a_classified_field_is_masked_where_the_message_holds_it(world: World, browse: Any, ada: Any) -> None:
    contract = world.firm.inbound.entity.contract
    schema = contract.versions.get(status="active").schema
    schema["properties"]["name"]["x-classification"] = "restricted"
    activate_schema(contract=contract, schema=schema, by=ada, accepted_break="Test.")
    message = filled(world)
    assert "Version 1" not in browse(ada).get(f"/webhooks/psa/messages/{message.pk}/").content.decode()


def test_a_rejected_message_is_tried_again_with_the_settings_of_now(world: World, browse: Any, olga: Any) -> None:
    world.post(json.dumps({"type": "x", "object": world.row()}).encode())
    world.work()
    message = Message.objects.get(state="rejected")
    world.endpoint.record_path = "object"
    services.save_endpoint(endpoint=world.endpoint, by=None)
    assert browse(olga).post(f"/webhooks/psa/messages/{message.pk}/retry/").status_code == 302
    world.work()
    assert Message.objects.get().outcome == "applied"
    assert world.record.body["name"] == "Version 1"


def test_every_page_has_one_heading_and_a_title(world: World, browse: Any, ada: Any) -> None:
    message = filled(world)
    for path in ("", "new/", "psa/", "psa/settings/", f"psa/messages/{message.pk}/"):
        page = browse(ada).get(f"/webhooks/{path}").content.decode()
        assert page.count("<h1>") == 1
        assert re.search(r"<title>\S.* · Syncline</title>", page)


# Secrets ---------------------------------------------------------------------------------------------------
def test_a_secret_stands_in_no_page_no_export_no_history_and_no_answer(world: World, browse: Any, ada: Any) -> None:
    services.rotate_secret(endpoint=world.endpoint, by=ada, secret=CANARY)
    world.endpoint.refresh_from_db()
    message = filled(world)
    client, api = browse(ada), api_of(ada)
    pages = [*PAGES, "/webhooks/psa/settings/", f"/webhooks/psa/messages/{message.pk}/"]
    texts = [b"".join(client.get(path)).decode() for path in pages]
    texts += [api.get(f"/api/v1/webhooks/{path}").content.decode() for path in ("", "psa/", "psa/messages/")]
    texts.append(json.dumps(list(config.export())))
    texts += [json.dumps(row, default=str) for row in Endpoint.history.values()]
    texts += [json.dumps(list(Message.objects.values("headers", "error", "message_id")))]
    assert not [text for text in texts if CANARY in text or CANARY.removeprefix("whsec_") in text]
    assert "secrets" not in {field.name for field in Endpoint.history.model._meta.get_fields()}


# The API ---------------------------------------------------------------------------------------------------
def test_a_program_makes_changes_and_rotates_a_webhook(world: World, ada: Any) -> None:
    api = api_of(ada)
    made = api.post("/api/v1/webhooks/", {"slug": "crm", "name": "CRM", "sync": "psa-projects"})
    assert made.status_code == 201
    endpoint = Endpoint.objects.get(slug="crm")
    assert made.json()["secret"] == endpoint.secrets["current"]
    assert made.json()["url"].endswith(f"/in/{endpoint.path}/")
    changed = api.patch("/api/v1/webhooks/crm/", {"record_path": "data.object"}).json()
    assert (changed["record_path"], changed["secret"]) == ("data.object", None)
    rotated = api.post("/api/v1/webhooks/crm/rotate-secret/", {}).json()
    assert rotated["has_previous_secret"]
    assert rotated["secret"] == Endpoint.objects.get(slug="crm").secrets["current"]
    assert not api.post("/api/v1/webhooks/crm/drop-older-secret/").json()["has_previous_secret"]
    assert api.post("/api/v1/webhooks/crm/test/").status_code == 202


def test_the_api_keeps_roles_and_domains(world: World, ada: Any, olga: Any, mallory: Any, make_person: Any) -> None:
    assert APIClient().get("/api/v1/webhooks/").status_code == 401
    assert api_of(mallory).get("/api/v1/webhooks/").status_code == 403
    assert api_of(olga).post("/api/v1/webhooks/psa/rotate-secret/", {}).status_code == 403
    assert api_of(ada, read_only=True).post("/api/v1/webhooks/psa/test/").status_code == 403
    stranger = api_of(make_person("Bill", ("integration_admin", "billing-gl")))
    assert stranger.get("/api/v1/webhooks/psa/").status_code == 404
    assert stranger.get("/api/v1/webhooks/psa/messages/").status_code == 404
    sent = {"slug": "x", "name": "X", "sync": "psa-projects"}
    assert stranger.post("/api/v1/webhooks/", sent).status_code == 400


# Documents -------------------------------------------------------------------------------------------------
def test_an_exported_webhook_can_be_applied_and_keeps_its_address_and_secret(world: World, tmp_path: Any) -> None:
    before = Endpoint.objects.get()
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []
    document = registry.kind("Webhook").dump("psa")
    assert document is not None
    assert document["secrets"] == {"current": "${secret:psa.current}"}
    assert "path" not in document
    (tmp_path / "change.yaml").write_text("")
    changed = tmp_path / "only"
    changed.mkdir()
    (changed / "w.yaml").write_text(yaml.safe_dump({**document, "record_path": "object"}))
    config.apply(changed)
    after = Endpoint.objects.get()
    assert (after.record_path, after.path, after.secrets) == ("object", before.path, before.secrets)


def test_a_webhook_document_without_a_known_secret_says_what_to_do(world: World, tmp_path: Any) -> None:
    document = registry.kind("Webhook").dump("psa")
    Endpoint.objects.all().delete()
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(document))
    done = config.apply(tmp_path)
    assert any("HUB_SECRET_PSA_CURRENT" in note for note in done.notes)
    assert Endpoint.objects.get().secrets == {}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"scheme": "none"}, "scheme"),
        ({"scheme": "hmac_sha1"}, "proof_name"),
        ({"secrets": {"third": "x"}}, "secrets.third"),
        ({"secrets": {"current": "short"}}, "secrets.current"),
        ({"record_path": "a..b"}, "record_path"),
    ],
)
def test_a_document_that_cannot_be_a_webhook_is_refused(world: World, change: dict[str, Any], path: str) -> None:
    kind = registry.kind("Webhook")
    found = kind.validate({"kind": "Webhook", "slug": "x", "name": "X", "sync": "psa-projects", **change})
    assert [problem.path for problem in found] == [path]
