"""A firm with two finance systems: projects come from the PSA and go to the old ERP, and by and by to the new one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from hub.cutover import comparing, services
from hub.cutover.models import Cutover, CutoverRoute, ShadowDay
from hub.sync import engine
from hub.sync import services as sync_services
from hub.sync.models import Run, Sync
from tests import memory
from tests.sync import builders as build

PROJECT: dict[str, Any] = {
    **build.PROJECT,
    "properties": {**build.PROJECT["properties"], "company": {"type": ["string", "null"], "x-legal-entity": True}},
}
IN_RULES = [*build.PROJECT_RULES, {"target": "company", "source": "company"}]
LEGACY_RULES = [
    {"target": "number", "source": "code"},
    {"target": "description", "source": "name"},
    {"target": "amount", "source": "budget", "type": "decimal"},
]
NEW_RULES = [
    {"target": "no", "source": "code"},
    {"target": "displayName", "source": "name"},
    {"target": "budgetCents", "source": "budget", "convert": [{"fn": "money_to_cents", "args": {"digits": 2}}],
     "type": "integer"},
]  # fmt: skip
MONDAY = date(2026, 11, 2)


class World:
    def __init__(self) -> None:
        self.entity = build.entity("project", PROJECT)
        source, old, fresh = build.connection("psa"), build.connection("sql"), build.connection("bc")
        self.inbound = build.sync("psa-projects", "in", build.stream(source, "projects"), self.entity, IN_RULES)
        self.legacy = build.sync("to-legacy", "out", build.stream(old, "jobs"), self.entity, LEGACY_RULES)
        self.new = build.sync("to-new", "out", build.stream(fresh, "projects"), self.entity, NEW_RULES)
        self.rows: dict[str, dict[str, Any]] = {}
        self.cutover: Cutover | None = None

    def document(self, **given: Any) -> dict[str, Any]:
        document = {
            "slug": "projects", "name": "Projects to the new ERP", "domain": "project-wbs", "entity": "project",
            "legacy": "to-legacy", "new": "to-new", "legal_entities": ["UK"], "days_needed": 2,
        }  # fmt: skip
        return {**document, **given}

    def make(self, **given: Any) -> Cutover:
        document = self.document(**given)
        if problems := registry.kind("Cutover").validate({"kind": "Cutover", **document}):
            raise ConfigError(problems[0].sentence, where=problems[0].path)
        services.save_cutover(document, by=None)
        self.cutover = Cutover.objects.get(slug=document["slug"])
        return self.cutover

    # Records -----------------------------------------------------------------------------------------------
    def change(self, number: int, **changes: Any) -> Run:
        """A project is new, or changes; the hub reads it."""
        row = self.rows.get(str(number)) or build.project_row(number, company="UK")
        self.rows[str(number)] = {**row, **changes}
        memory.system("psa").sources["projects"] = list(self.rows.values())
        return sync_services.run_here(sync=self.inbound)

    def deliver(self) -> None:
        """Work on all that waits, at both sides."""
        for _ in range(20):
            run = Run.objects.filter(sync__in=(self.legacy, self.new), status="queued").order_by("pk").first()
            if run is None and not (due := [s for s in (self.legacy, self.new) if engine.has_due(s.pk)]):
                return
            run = run or engine.start(due[0], trigger=Run.Trigger.CHANGE)[0]
            engine.execute(run.pk)

    def sent(self, side: str) -> list[tuple[str, str]]:
        """(key, name) of each write, in order."""
        names = {"sql": "description", "bc": "displayName"}
        return [(write.key, write.body[names[side]]) for write in memory.system(side).writes]

    # Switching ---------------------------------------------------------------------------------------------
    def route(self, name: str = "UK") -> CutoverRoute:
        return CutoverRoute.objects.select_related("cutover__legacy", "cutover__new").get(
            cutover=self.cutover, legal_entity=name
        )

    def clean_days(self, name: str = "UK", *, until: date = MONDAY + timedelta(days=1), number: int = 2) -> None:
        for back in range(number):
            ShadowDay.objects.update_or_create(
                cutover=self.cutover, legal_entity=name, day=until - timedelta(days=back),
                defaults={"compared": 3, "equal": 3, "different": 0, "unexplained": 0},
            )  # fmt: skip

    def forward(self, to: str, name: str = "UK") -> None:
        """Step by step, with the days that the gate wants."""
        assert self.cutover is not None
        self.clean_days(name)
        set_business_clock(datetime.combine(MONDAY + timedelta(days=1), time(20), UTC))
        while self.route(name).state != to:
            services.advance(self.cutover, name, reason="It is time.", by=None)

    def back(self, to: str, name: str = "UK") -> None:
        assert self.cutover is not None
        services.roll_back(self.cutover, name, to, reason="It went wrong.", by=None)

    def compare(self, day: date | None = None) -> int:
        if day:
            set_business_clock(datetime.combine(day, time(20), UTC))
        assert self.cutover is not None
        return comparing.compare(Cutover.objects.get(pk=self.cutover.pk))


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    yield
    from hub.records.store import forget_profiles

    forget_profiles()


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def sync_of(slug: str) -> Sync:
    return Sync.objects.get(slug=slug)
