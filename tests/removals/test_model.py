"""Whatever two sources show in whatever order, hub and target end where a model of a few lines ends."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.records.models import CanonicalRecord
from hub.sync import services
from hub.sync.models import Run, Sync, Transaction
from hub.sync.states import Outcome
from tests import memory
from tests.sync import builders as build
from tests.sync.worlds import Firm

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = range(5)
shown = st.frozensets(st.sampled_from(NAMES))
steps = st.one_of(
    st.tuples(st.just("psa"), shown, st.frozensets(st.sampled_from(NAMES), max_size=1)),
    st.tuples(st.just("crm"), shown, st.just(frozenset())),
    st.tuples(st.just("deliver"), st.just(frozenset()), st.just(frozenset())),
)
number = count(1)


@pytest.fixture
def crm(firm: Firm) -> Sync:
    """A second source of projects; both may let go of everything but their anchor."""
    Sync.objects.update(max_removed_percent=100, volume_check="off", on_removal="delete")
    Sync.objects.filter(pk=firm.inbound.pk).update(deleted_path="gone")
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    stream = build.stream(build.connection("crm"), "deals")
    limits: dict[str, Any] = {"mode": "full", "removals": "detect", "max_removed_percent": 100, "volume_check": "off"}
    return build.sync("crm-deals", "in", stream, firm.inbound.entity, build.PROJECT_RULES, **limits)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=8))
def test_hub_and_target_equal_the_model(firm: Firm, crm: Sync, story: list[Any]) -> None:
    base = next(number) * 10
    sources: dict[str, frozenset[int]] = {"psa": frozenset(), "crm": frozenset()}
    for who, names, marked in story:
        if who == "deliver":
            firm.deliver()
            continue
        sources[who] = names - marked
        read(firm, crm, who, base, names, marked)
        assert living(base) == {base + name for name in sources["psa"] | sources["crm"]}
    firm.deliver()
    assert at_target(firm, base) == living(base)
    assert versions_rise(base)


def read(firm: Firm, crm: Sync, who: str, base: int, names: frozenset[int], marked: frozenset[int]) -> None:
    records = [build.project_row(base + name, gone=name in marked) for name in names | marked]
    anchor = build.project_row(base + 9)
    if who == "psa":
        run = firm.read(anchor, *records)
    else:
        memory.system("crm").sources["deals"] = [anchor, *records]
        run = services.run_here(sync=crm)
    assert run.status == "succeeded"
    assert run.read == sum(value for name, value in run.counts.items() if name != "read") == len(records) + 1


def living(base: int) -> set[int]:
    keys = CanonicalRecord.objects.filter(deleted_at__isnull=True).values_list("key", flat=True)
    return {n for key in keys if base <= (n := int(key[2:])) < base + 9}


def at_target(firm: Firm, base: int) -> set[int]:
    return {n for key in firm.erp.targets.get("jobs", {}) if base <= (n := int(key[2:])) < base + 9}


def versions_rise(base: int) -> bool:
    """Each ledger row of a record says a later version than the one before it."""
    inbound = Transaction.objects.filter(run_id__in=Run.objects.filter(sync__mapping__direction="in").values("pk"))
    for name in NAMES:
        rows = inbound.filter(
            key=f"P-{base + name:04d}", outcome__in=(Outcome.CREATED, Outcome.UPDATED, Outcome.REMOVED)
        )
        versions = list(rows.order_by("pk").values_list("version", flat=True))
        if versions != sorted(set(versions)):
            return False
    return True
