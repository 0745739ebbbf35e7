"""What a page needs comes in one answer: a record, what belongs to it, and sums that agree with the rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.errors import ConfigError
from hub.gateway import definition
from hub.sync import services as syncs
from tests import memory
from tests.gateway.conftest import Portal
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
TIME = {"entity": "time_entry", "by": "project", "totals": ["hours"]}


def book(portal: Portal, *rows: tuple[str, str, str]) -> None:
    """(project, hours, status) of each time entry."""
    memory.system("psa").sources["time"] = [
        {"id": str(n), "number": f"T-{n:04d}", "project": project, "hours": hours, "status": status}
        for n, (project, hours, status) in enumerate(rows)
    ]
    assert syncs.run_here(sync=portal.time).error == ""


@pytest.fixture
def world(portal: Portal) -> Portal:
    portal.firm.read(build.project_row(1), build.project_row(2))
    portal.offer(
        "ExperienceApi", "project-360", entity="project", fields=["code", "budget"],
        relations={"time": TIME, "open": {**TIME, "only_when": {"status": ["submitted"]}, "limit": 0}},
        values={"left": "$number(record.budget) - $number(time.totals.hours) * 100", "odd": "$number(record.code)"},
    )  # fmt: skip
    portal.register({"experience/project-360": ["read"]})
    return portal


def ask(portal: Portal, key: str = "P-0001", **headers: str) -> Any:
    return portal.call("GET", f"experience/project-360/v1/{key}/", **headers)


def test_a_record_comes_with_what_belongs_to_it_and_with_computed_values(world: Portal) -> None:
    book(world, ("P-0001", "7.50", "approved"), ("P-0001", "0.25", "submitted"), ("P-0002", "8.00", "approved"))
    status, body, _ = ask(world)
    assert status == 200
    assert body["record"] == {"code": "P-0001", "budget": "1000.00"}
    assert (body["time"]["count"], body["time"]["totals"]) == (2, {"hours": "7.75"})
    assert [row["key"] for row in body["time"]["records"]] == ["T-0001", "T-0000"]
    assert body["open"] == {"count": 1, "totals": {"hours": "0.25"}, "records": []}
    assert (float(body["left"]), body["odd"]) == (225.0, None)


def test_nothing_that_belongs_to_it_is_an_empty_answer_and_no_record_is_not_found(world: Portal) -> None:
    assert ask(world)[1]["time"] == {"count": 0, "totals": {"hours": "0"}, "records": []}
    assert ask(world, "P-9999")[0] == 404


def test_an_answer_that_the_caller_holds_is_not_sent_again_until_any_part_of_it_changes(world: Portal) -> None:
    book(world, ("P-0001", "1.00", "approved"))
    etag = ask(world)[2]["ETag"]
    assert ask(world, If_None_Match=etag)[0] == 304
    book(world, ("P-0001", "2.00", "approved"))
    assert ask(world, If_None_Match=etag)[0] == 200


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# So few that no reading is far from what is usual.
@given(hours=st.lists(st.integers(-10_000, 10_000), max_size=8))
def test_sums_are_of_all_rows_to_the_last_digit(world: Portal, hours: list[int]) -> None:
    amounts = [Decimal(each).scaleb(-2) for each in hours]
    book(world, *(("P-0001", str(each), "approved") for each in amounts), ("P-0002", "1.00", "approved"))
    from hub.records.models import CanonicalRecord

    stored = [
        Decimal(body["hours"])
        for body in CanonicalRecord.objects.filter(entity__slug="time_entry", project="P-0001").values_list(
            "body", flat=True
        )
    ]
    body = ask(world)[1]
    assert Decimal(body["time"]["totals"]["hours"]) == sum(stored, Decimal(0))
    assert body["time"]["count"] == len(stored)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"relations": {"Time": TIME}}, "relations.Time"),
        ({"relations": {"record": TIME}}, "relations.record"),
        ({"relations": {"time": {"by": "project"}}}, "relations.time"),
        ({"relations": {"time": {"entity": "time_entry"}}}, "relations.time.by"),
        ({"relations": {"time": {**TIME, "limit": 5_000}}}, "relations.time.limit"),
        ({"relations": {"time": {**TIME, "colour": 1}}}, "relations.time.colour"),
        ({"relations": {"c": {"entity": "x", "through": "a", "totals": ["b"]}}}, "relations.c.totals"),
        ({"values": {"left": "record.("}}, "values.left"),
        ({"values": {"key": "1"}}, "values.key"),
        ({"fields": "code"}, "fields"),
    ],
)
def test_a_declaration_that_cannot_be_served_is_said_where_it_is(given: dict[str, Any], path: str) -> None:
    assert path in [where for where, _ in definition.problems("experience", {"entity": "project", **given})]


def test_names_that_nothing_has_refuse_the_declaration(portal: Portal) -> None:
    for bad, sentence in (
        ({"entity": "ghost"}, "no entity 'ghost'"),
        ({"entity": "project", "fields": ["colour"]}, "no field 'colour'"),
        ({"entity": "project", "relations": {"t": {**TIME, "totals": ["weeks"]}}}, "no field 'weeks'"),
        ({"entity": "project", "contract_version": 7}, "has no version 7"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            portal.offer("ExperienceApi", "bad", **bad)
