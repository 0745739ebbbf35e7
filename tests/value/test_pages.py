"""The value page and its measures: what is shown, who may change it, files, the API and the command."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from hub.config import services as config
from hub.sync.states import DeliveryState
from monitoring.models import Measure, MeasureValue
from monitoring.value import computing, hours, queries, services, shipped
from tests.close.builders import item
from tests.value.builders import NOW, ValueWorld, at, computed, measure

pytestmark = pytest.mark.django_db
UNBILLED = {"billing_status": "unbilled", "approved_at": "2026-11-28T09:00:00Z"}


@pytest.fixture
def world(domains: Any) -> ValueWorld:
    set_business_clock(NOW)
    return ValueWorld()


def test_the_shipped_measures_are_taken_once_and_stay_as_they_are(
    world: ValueWorld, browse: Any, ada: Any, finn: Any
) -> None:
    assert "Take the shipped measures" in browse(ada).get("/value/").content.decode()
    assert browse(finn).post("/value/shipped/").status_code == 403
    browse(ada).post("/value/shipped/")
    assert Measure.objects.count() == len(shipped.documents()) == 14
    Measure.objects.filter(slug="bench").update(owner="Somebody else")
    browse(ada).post("/value/shipped/")
    assert Measure.objects.get(slug="bench").owner == "Somebody else"
    page = browse(finn).get("/value/").content.decode()
    assert "Not connected: needs Assignment from a PSA" in page


def test_every_page_opens_with_and_without_data(world: ValueWorld, browse: Any, finn: Any, mallory: Any) -> None:
    services.load_shipped(by=None)
    for full in (False, True):
        for slug in Measure.objects.values_list("slug", flat=True):
            for path in (
                f"/value/{slug}/",
                f"/value/{slug}/rows/",
                f"/value/{slug}/rows.csv",
                f"/value/{slug}/rows/?month=2026-10",
            ):
                assert browse(finn).get(path).status_code == 200, (path, full)
        world.entry("100.00", body=UNBILLED)
        computing.compute_all()
    for path in (
        "/value/",
        "/value.csv",
        "/value.json",
        "/value/hours/",
        "/value/hours.csv",
        "/value/hours/?month=2026-01",
    ):
        assert browse(finn).get(path).status_code == 200, path
        assert browse(mallory).get(path).status_code == 403, path
    assert browse(finn).get("/value/bench/rows/?month=x").status_code == 404
    assert browse(finn).get("/value/hours/?month=x").status_code == 404


def test_the_file_of_rows_sums_to_the_tile(world: ValueWorld, browse: Any, finn: Any) -> None:
    for amount, currency in (("100.00", "GBP"), ("33.33", "EUR"), ("0.01", "EUR"), ("7.00", "USD")):
        world.entry(amount, currency, body=UNBILLED)
    value = computed("unbilled_time")
    text = b"".join(browse(finn).get("/value/unbilled-time/rows.csv").streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(Decimal(row["Value"]) for row in rows if row["Value"]) == value.value == Decimal("126.67")
    assert [row["Original currency"] for row in rows if not row["Value"]] == ["USD"]
    tile = next(row for row in json.loads(b"".join(browse(finn).get("/value.json").streaming_content)))
    assert Decimal(tile["value"]) == value.value


def test_too_little_history_says_so_instead_of_a_trend(world: ValueWorld, browse: Any, finn: Any) -> None:
    world.run(world.reads, NOW - timedelta(days=11))
    world.arrived(at("2026-10-10T09:00:00"), 2)
    world.arrived(at("2026-11-10T09:00:00"), 3)
    measure("time_to_erp")
    computing.compute_all()
    found = queries.standing(Measure.objects.get())
    assert (found.trend, found.trend_note) == (None, "A trend needs 30 days; 11 so far.")
    assert "11 so far" in browse(finn).get("/value/").content.decode()
    world.run(world.reads, NOW - timedelta(days=40))
    found = queries.standing(Measure.objects.get())
    assert [one.month for one in found.trend or []] == ["2026-10", "2026-11"]
    assert "polyline" in browse(finn).get("/value/time-to-erp/").content.decode()


def test_confidence_falls_with_each_doubt(world: ValueWorld) -> None:
    world.entry("1.00", "USD", body=UNBILLED)
    world.entry("1.00", "GBP", body=UNBILLED)
    computed("unbilled_time")
    found = queries.standing(Measure.objects.get())
    assert found.confidence == ("low", ["0 days of history", "amounts in USD without a rate"])
    world.run(world.reads, NOW - timedelta(days=40))
    assert queries.standing(Measure.objects.get()).confidence[0] == "medium"


def test_a_figure_is_held_against_target_and_baseline(world: ValueWorld) -> None:
    world.entry("75.00", body=UNBILLED)
    baseline = {"value": "300", "period": "2026-03", "source": "Spreadsheet of the billing team"}
    computed("unbilled_time", target="75", baseline=baseline)
    found = queries.standing(Measure.objects.get())
    assert (found.state, found.since_baseline) == ("met", Decimal("-75.0"))
    Measure.objects.update(target="74.99")
    assert queries.standing(Measure.objects.get()).state == "missed"
    Measure.objects.update(direction="up")
    assert queries.standing(Measure.objects.get()).state == "met"


def test_the_waterfall_leads_from_the_month_before_to_this_one(world: ValueWorld, finn: Any) -> None:
    one = measure("touches_avoided")
    given = {"measure": one, "state": "measured", "computed_at": NOW}
    MeasureValue.objects.create(
        month="2026-10", value=100, causes=[["erp", 1, "60", "1"], ["psa", 1, "40", "1"]], **given
    )
    MeasureValue.objects.create(
        month="2026-11", value=130, causes=[["erp", 1, "90", "1"], ["crm", 1, "25", "1"]], **given
    )
    found = queries.standing(one)
    assert [(step.cause, step.change) for step in found.steps] == [
        ("psa", -40), ("erp", 30), ("crm", 25), ("Everything else", 15),
    ]  # fmt: skip
    assert found.values[-2].value + sum(step.change for step in found.steps) == found.values[-1].value  # type: ignore[operator]


# Hours ---------------------------------------------------------------------------------------------------------
def test_every_approved_hour_is_somewhere_and_nowhere_twice(world: ValueWorld) -> None:
    def entry(number: str, **body: Any) -> Any:
        return world.entry(body={"hours": number, **body})

    world.delivery(entry("8.00", billing_status="billed"), DeliveryState.DELIVERED)
    world.delivery(entry("4.00"), DeliveryState.DELIVERED)
    world.delivery(entry("2.00"), DeliveryState.DEAD)
    world.delivery(entry("1.00"), DeliveryState.PENDING)
    entry("0.50")
    item(world, record_id=entry("0.25").pk, cause="missing_rate")
    broken = entry("0.10")
    item(world, record_id=broken.pk, cause="missing_rate")
    world.delivery(broken, DeliveryState.DELIVERED)
    entry("16.00", status="submitted")
    entry("32.00", date="2026-10-31")
    found = hours.flow("2026-11")
    assert (found.approved, found.valid, found.in_erp, found.invoiced) == (
        Decimal("15.85"), Decimal("15.50"), Decimal("12.00"), Decimal("8.00"),
    )  # fmt: skip
    assert {(one.stage, one.cause): one.hours for one in found.stuck} == {
        ("valid", "Missing rate"): Decimal("0.35"),
        ("in_erp", "Dead letter"): Decimal("2.00"),
        ("in_erp", "On the way"): Decimal("1.00"),
        ("in_erp", "Not sent: nothing delivers it"): Decimal("0.50"),
    }
    stuck = sum((one.hours for one in found.stuck), Decimal(0))
    assert found.approved == found.invoiced + found.not_invoiced + stuck


# Changing ------------------------------------------------------------------------------------------------------
def document(**changes: Any) -> dict[str, Any]:
    return {"slug": "leak", "name": "Leak", "definition": "What leaks.", "formula": "unbilled_time", **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"formula": "magic"}, "no formula 'magic'"),
        ({"parameters": {"x": "1"}}, "no parameter 'x'"),
        ({"formula": "project_setup", "parameters": {"systems": "psa"}}, "list of words"),
        ({"formula": "margin_consistency", "parameters": {"tolerance": "some"}}, "not a number"),
        ({"target": "much"}, "not a number"),
        ({"baseline": {"value": "1", "period": "2026-03"}}, "proves nothing"),
        ({"baseline": {"value": "1", "period": "March", "source": "x"}}, "not a period"),
        ({"exclusions": {"colour": ["red"]}}, "left out by"),
        ({"slug": "hours"}, "another page"),
    ],
)
def test_a_wrong_measure_is_refused_with_a_sentence(world: ValueWorld, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        services.save_measure(document(**changes), by=None)
    assert not Measure.objects.exists()


def test_a_measure_is_made_by_the_form_and_computed_at_once(world: ValueWorld, browse: Any, ada: Any) -> None:
    world.entry("100.00", body=UNBILLED)
    given = {
        "name": "Leak", "formula": "unbilled_time", "definition": "What leaks.", "direction": "down", "position": "5",
        "baseline_value": "200", "baseline_period": "2026-03", "baseline_source": "Ledger", "without_projects": "INT-*",
    }  # fmt: skip
    assert browse(ada).post("/value/new/", {**given, "target": "x"}).status_code == 422
    assert browse(ada).post("/value/new/", given).status_code == 302
    made = Measure.objects.get(slug="leak")
    assert (made.exclusions, made.baseline["source"]) == ({"project": ["INT-*"]}, "Ledger")
    assert made.values.get().value == Decimal(100)
    again = {**given, "without_projects": "P-*"}
    browse(ada).post("/value/leak/edit/", again)
    assert made.values.get().value is None


def test_baselines_come_from_a_file_whole_or_not_at_all(world: ValueWorld, browse: Any, ada: Any) -> None:
    services.load_shipped(by=None)
    good = "measure,value,period,source\nrecovery,9.5,2026-03,Survey\n"
    for text, status in ((good + "nothing,1,2026-03,x\n", 422), (good + "bench,1,2026-03,\n", 422), (good, 302)):
        file = SimpleUploadedFile("baselines.csv", text.encode())
        assert browse(ada).post("/value/baselines/", {"file": file}).status_code == status
        kept = Measure.objects.exclude(baseline={}).count()
        assert kept == (1 if status == 302 else 0)
    assert Measure.objects.get(slug="recovery").baseline == {"value": "9.5", "period": "2026-03", "source": "Survey"}


def test_export_and_apply_change_nothing(world: ValueWorld, tmp_path: Path) -> None:
    services.load_shipped(by=None)
    services.save_measure(document(parameters={}, target="5", exclusions={"project": ["X*"]}), by=None)
    for number, each in enumerate(config.export()):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(each))
    assert config.plan(tmp_path).steps == []


def test_the_api_gives_definition_figure_and_rows(world: ValueWorld, browse: Any, ada: Any, finn: Any) -> None:
    world.entry("100.00", body=UNBILLED)
    answer = browse(ada).post("/api/v1/measures/", json.dumps(document()), content_type="application/json")
    assert answer.status_code == 201, answer.content
    told = browse(finn).get("/api/v1/measures/leak/value/").json()
    assert (told["value"], told["currency"], told["state"], told["rows"]) == ("100", "GBP", "measured", 1)
    (row,) = browse(finn).get("/api/v1/measures/leak/rows/").json()
    assert (row["value"], row["cause"]) == ("100", "Time, up to 7 days")
    assert browse(finn).delete("/api/v1/measures/leak/").status_code == 403
    assert browse(finn).get("/api/v1/measures/leak/rows/?month=x").status_code == 400
    assert browse(ada).delete("/api/v1/measures/leak/").status_code == 204


def test_the_command_computes_and_says_what_is_not_connected(world: ValueWorld) -> None:
    services.load_shipped(by=None)
    world.entry("100.00", body=UNBILLED)
    out = StringIO()
    call_command("measure", "unbilled-time", "--json", stdout=out)
    assert json.loads(out.getvalue())["value"] == "100"
    for slug, code in (("bench", 2), ("nothing", 1)):
        out, err = StringIO(), StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("measure", slug, "--json", stdout=out, stderr=err)
        assert ended.value.code == code
        assert json.loads(out.getvalue())
