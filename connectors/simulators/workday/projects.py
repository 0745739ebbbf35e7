"""Projects, and hours that are reported on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.simulators.tables import Problem, Row
from connectors.simulators.workday import data
from connectors.simulators.workday.listing import invalid_id
from connectors.simulators.workday.messages import (
    Call,
    Invalid,
    answer,
    leaf,
    local,
    reference,
    references,
    tag,
    values,
)
from connectors.simulators.workday.orders import ORDERS
from connectors.simulators.workday.people import People


class Projects(People):
    def _project_ids(self, row: Row) -> dict[str, str]:
        return {"WID": row["wid"], "Project_ID": row["project_id"]}

    def get_projects(self, call: Call) -> bytes:
        at, known = self.as_of(call), self.tenant.tables["projects"].rows
        keys = self._wanted(call, "Project", known, lambda key: self._project_ids(known[key]))
        inactive = call.flag("Request_Criteria/Include_Inactive") or call.at("Request_References") is not None
        rows = [known[key] for key in sorted(keys) if inactive or not known[key]["data"].get("Inactive")]
        return self._listed("Get_Projects", call, at, [self._project(row) for row in rows])

    def _project(self, row: Row) -> str:
        order = ORDERS["Project_Data"]
        held = sorted(row["data"].items(), key=lambda item: order.index(item[0]))
        inner = [reference(name, value) if isinstance(value, dict) else leaf(name, value) for name, value in held]
        own = leaf("Workday_Project_ID", row["project_id"])
        return tag("Project", reference("Project_Reference", self._project_ids(row)), tag("Project_Data", own, *inner))

    def submit_project(self, call: Call) -> bytes:
        table, told = self.tenant.tables["projects"], references(call.at("Project_Reference"))
        found = self._find(told, table.rows, lambda key: self._project_ids(table.rows[key])) if told else None
        if told and not found:
            raise invalid_id(told, f"/wd:{call.name}/wd:Project_Reference[1]")
        path = f"/wd:{call.name}/wd:Project_Data[1]"
        held = values(call.at("Project_Data"))
        number = held.pop("Workday_Project_ID", "")
        held |= {name: held[name] in ("1", "true") for name in ("Inactive", "Billable") if name in held}
        self._check_owner(held, path)
        if found:
            saved = self.tenant.update(data.PROJECTS, found, {"data": {**table.rows[found]["data"], **held}})
        else:
            saved = self._new_project(number, held, path)
        own = reference("Project_Reference", self._project_ids(saved))
        return answer("Submit_Project_Response", own, version=call.attribute("version"))

    def _check_owner(self, held: Mapping[str, Any], path: str) -> None:
        owner = held.get("Project_Owner_Reference", {})
        if owner and not self.knows_worker(owner.get("Employee_ID", "")):
            raise invalid_id(owner, f"{path}/wd:Project_Owner_Reference[1]")

    def _new_project(self, number: str, held: Row, path: str) -> Row:
        if not held.get("Project_Name"):
            words = "The field Project Name is required and must have a value."
            raise Invalid(words, f"{path}/wd:Project_Name[1]")
        try:
            return self.tenant.insert(data.PROJECTS, {"project_id": number or None, "data": held})
        except Problem as problem:
            raise Invalid(f"The project {number} is already there.", f"{path}/wd:Workday_Project_ID[1]") from problem

    def import_time(self, call: Call) -> bytes:
        """Takes everything or nothing; each import is a process of its own, whatever its batch is called."""
        blocks = call.all("Reported_Time_Block_Data")
        for number, block in enumerate(blocks, 1):
            worker = references(Call(block).at("Worker_Reference"))
            if not self.knows_worker(worker.get("Employee_ID", "")):
                place = f"/wd:{local(call.element)}/wd:Reported_Time_Block_Data[{number}]/wd:Worker_Reference[1]"
                raise invalid_id(worker, place)
        rows = [{"batch": call.text("Batch_ID"), "data": values(block)} for block in blocks]
        saved = [self.tenant.insert(data.TIME_BLOCKS, row) for row in rows]
        process = {"WID": data.wid("import", "".join(row["wid"] for row in saved))}
        own = reference("Import_Process_Reference", process)
        return answer("Put_Import_Process_Response", own, version=call.attribute("version"))
