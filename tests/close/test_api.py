"""Periods and closes over the API and on the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from hub.common.times import set_business_clock
from hub.sync.states import DeliveryState
from monitoring.models import Period
from tests.close.builders import NOW, CloseWorld, document, period

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    return CloseWorld()


def send(client: Any, method: str, path: str, data: dict[str, Any]) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", json.dumps(data), content_type="application/json")


def test_periods_are_made_changed_and_removed(world: CloseWorld, browse: Any, finn: Any) -> None:
    client = browse(finn)
    made = send(client, "post", "periods/", document())
    assert made.status_code == 201, made.content
    assert made.json()["standing"] == "closing"
    assert made.json()["closes_at"] == "2026-12-04T17:30:00Z"
    changed = send(client, "put", "periods/hv-uk-2026-11/", document(status="open"))
    assert (changed.status_code, changed.json()["source"]) == (200, "set by hand")
    assert send(client, "post", "periods/", document()).status_code == 422
    assert [one["slug"] for one in client.get("/api/v1/periods/").json()["results"]] == ["hv-uk-2026-11"]
    assert client.delete("/api/v1/periods/hv-uk-2026-11/").status_code == 204
    assert not Period.objects.exists()


def test_a_wrong_period_is_a_problem_with_a_sentence(world: CloseWorld, browse: Any, finn: Any) -> None:
    answer = send(browse(finn), "post", "periods/", document(end_date="2026-10-01"))
    assert answer.status_code in (400, 422)
    assert "before it starts" in answer.content.decode()


def test_who_sees_one_domain_changes_no_period(world: CloseWorld, browse: Any, make_person: Any) -> None:
    period()
    own = browse(make_person("Oscar", ("finance", "project-wbs")))
    assert send(own, "post", "periods/", document("HV-DE")).status_code == 403
    assert own.delete("/api/v1/periods/hv-uk-2026-11/").status_code == 403
    assert own.get("/api/v1/periods/").status_code == 200


def test_the_api_and_the_command_say_the_same_of_a_close(world: CloseWorld, browse: Any, finn: Any) -> None:
    period()
    world.delivery(world.entry("100.00", "EUR"), DeliveryState.DEAD)
    told = browse(finn).get("/api/v1/close/HV-UK/2026-11/").json()
    assert (told["count"], told["total"], told["currency"], told["state"]) == (1, "80.00", "GBP", "blocked")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("close", "HV-UK", "2026-11", "--json", stdout=out)
    assert ended.value.code == 2
    assert json.loads(out.getvalue()) == told
    assert browse(finn).get("/api/v1/close/").json() == [told]
    assert browse(finn).get("/api/v1/close/HV-FR/2026-11/").status_code == 404
    assert browse(finn).get("/api/v1/close/HV-UK/2026-99/").status_code == 404


def test_the_command_passes_when_nothing_is_in_the_way(world: CloseWorld) -> None:
    out = StringIO()
    call_command("close", "HV-UK", "2026-11", stdout=out)
    assert out.getvalue().strip() == "HV-UK 2026-11: Ready, 0 in the way, GBP 0.00"


def test_an_unknown_legal_entity_is_one_json_document_and_exit_1(world: CloseWorld) -> None:
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("close", "HV-FR", "2026-11", "--json", stdout=out, stderr=err)
    assert ended.value.code == 1
    assert "HV-FR" in json.loads(out.getvalue())["error"]
