"""One small firm that pages, API and dry runs are tried on: projects come from the PSA and go to the ERP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.common.errors import PermanentError, UnknownOutcome
from hub.sync import engine, services
from hub.sync.models import Delivery, HeldRecord, Run, Sync
from tests import memory
from tests.sync import builders as build


@dataclass
class Firm:
    inbound: Sync
    outbound: Sync

    @property
    def psa(self) -> memory.MemorySystem:
        return memory.system("psa")

    @property
    def erp(self) -> memory.MemorySystem:
        return memory.system("erp")

    def read(self, *rows: dict[str, Any]) -> Run:
        """The PSA shows these rows, and the hub reads them."""
        self.psa.sources["projects"] = list(rows)
        return services.run_here(sync=self.inbound)

    def deliver(self) -> Run:
        """Work on what waits for the ERP."""
        for _ in range(5):
            run = Run.objects.filter(sync=self.outbound, status="queued").first()
            if run is None:
                break
            engine.execute(run.pk)
        return Run.objects.filter(sync=self.outbound).latest("pk")

    def hold_one(self) -> HeldRecord:
        """Project 2 breaks the contract; project 1 passes."""
        self.read(build.project_row(1), build.project_row(2, currency="euro"))
        return HeldRecord.objects.get()

    def kill_one(self) -> Delivery:
        """The ERP refuses project 1 for good."""
        self.erp.refuse["P-0001"] = PermanentError("No such account.")
        self.read(build.project_row(1))
        self.deliver()
        return Delivery.objects.get()

    def lose_one(self) -> Delivery:
        """The answer about project 1 is lost, at a target where sending again could double it."""
        self.erp.safety = "D"
        self.read(build.project_row(1))
        self.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
        self.deliver()
        return Delivery.objects.get()


def make(*, schema: dict[str, Any] = build.PROJECT) -> Firm:
    source, target = build.connection("psa"), build.connection("erp")
    entity = build.entity("project", schema)
    inbound = build.sync("psa-projects", "in", build.stream(source, "projects"), entity, build.PROJECT_RULES)
    outbound = build.sync("erp-jobs", "out", build.stream(target, "jobs"), entity, build.OUT_RULES)
    return Firm(inbound, outbound)
