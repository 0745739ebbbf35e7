"""Workers, as their events made them by the moment that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.simulators.messages import parse_instant
from connectors.simulators.tables import Row
from connectors.simulators.workday import data
from connectors.simulators.workday.data import AsOf
from connectors.simulators.workday.messages import Call, Element, leaf, reference, references, tag
from connectors.simulators.workday.orders import RANGE
from connectors.simulators.workday.organizations import Organizations


class People(Organizations):
    def get_workers(self, call: Call) -> bytes:
        at, events = self.as_of(call), list(self.tenant.tables["events"].rows.values())
        workers = data.state_of(events, at)
        numbers = sorted(self._wanted(call, "Worker", workers, lambda number: self.worker_ids(number)))
        logs = call.all("Request_Criteria/Transaction_Log_Criteria_Data")
        if logs:
            numbers = [number for number in numbers if any(self._is_in(log, events, number, at) for log in logs)]
        shown = [self._worker(number, workers[number], at) for number in numbers]
        return self._listed("Get_Workers", call, at, shown)

    def _is_in(self, log: Element, events: Sequence[Row], number: str, at: AsOf) -> bool:
        inner = Call(log)
        types = [references(each) for each in inner.all("Transaction_Type_References/Transaction_Type_Reference")]
        kinds = {value for ids in types for value in ids.values()}
        mine = [event for event in events if event["worker"] == number and (not kinds or event["kind"] in kinds)]
        return any(self._fits(inner, event, at) for event in mine)

    def _fits(self, log: Call, event: Row, at: AsOf) -> bool:
        limits = [log.text(f"Transaction_Date_Range_Data/{name}") for name in RANGE]
        moments = [moment for moment in data.touched_at(event) if moment <= at.entry]
        first, last, since, until = limits
        entered = any(
            (not first or parse_instant(first) <= moment) and (not last or moment <= parse_instant(last))
            for moment in moments
        )
        return (
            entered
            and (not since or event["effective"] >= since[:10])
            and (not until or event["effective"] <= until[:10])
        )

    def worker_ids(self, number: str) -> dict[str, str]:
        return {"WID": data.wid("worker", number), "Employee_ID": number}

    def _worker(self, number: str, fields: Mapping[str, Any], at: AsOf) -> str:
        name = f"{fields['given']} {fields['family']}"
        organizations = (("COMPANY", fields["company"]), ("COST_CENTER", fields["cost_center"]))
        job = tag("Worker_Job_Data", self._position(number, fields), Primary_Job="1")
        inner = (
            leaf("Worker_ID", number),
            leaf("User_ID", fields["email"].partition("@")[0]),
            _personal(fields, name),
            tag("Employment_Data", job, _status(fields, at)),
            tag("Organization_Data", *[self._membership(kind, code) for kind, code in organizations]),
        )
        own = reference("Worker_Reference", self.worker_ids(number), name)
        return tag("Worker", own, leaf("Worker_Descriptor", name), tag("Worker_Data", *inner))

    def _position(self, number: str, fields: Mapping[str, Any]) -> str:
        grade, place, manager = fields["grade"], fields["location"], fields["manager"]
        level = {"WID": data.wid("level", grade), "Management_Level_ID": grade} if grade else {}
        profile = (reference("Management_Level_Reference", level), leaf("Job_Profile_Name", fields["title"]))
        site = (reference("Location_Reference", {"Location_ID": place} if place else {}), leaf("Name", place))
        leader = self.worker_ids(manager) if manager else {}
        return tag(
            "Position_Data",
            leaf("Position_ID", f"P-{number}"),
            leaf("Business_Title", fields["title"]),
            leaf("Scheduled_Weekly_Hours", fields["weekly_hours"]),
            tag("Job_Profile_Summary_Data", *profile),
            tag("Business_Site_Summary_Data", *site),
            reference("Manager_as_of_last_detected_manager_change_Reference", leader),
        )

    def _membership(self, kind: str, code: str) -> str:
        row = self.organization(kind, code)
        if row is None:
            return ""
        inner = (
            leaf("Organization_Reference_ID", code),
            leaf("Organization_Code", row["code"]),
            leaf("Organization_Name", row["name"]),
            reference("Organization_Type_Reference", {"Organization_Type_ID": kind}),
        )
        own = reference("Organization_Reference", self._organization_ids(row))
        return tag("Worker_Organization_Data", own, tag("Organization_Data", *inner))

    def knows_worker(self, number: str) -> bool:
        return any(event["worker"] == number for event in self.tenant.tables["events"].rows.values())


def _personal(fields: Mapping[str, Any], name: str) -> str:
    parts = (leaf("First_Name", fields["given"]), leaf("Last_Name", fields["family"]))
    detail = tag("Name_Detail_Data", *parts, Formatted_Name=name)
    email = tag("Email_Address_Data", leaf("Email_Address", fields["email"])) if fields["email"] else ""
    names = tag("Name_Data", tag("Legal_Name_Data", detail), tag("Preferred_Name_Data", detail))
    return tag("Personal_Data", names, tag("Contact_Data", email))


def _status(fields: Mapping[str, Any], at: AsOf) -> str:
    ended = bool(fields["termination_date"]) and fields["termination_date"] <= at.effective.isoformat()
    return tag(
        "Worker_Status_Data",
        leaf("Active", not ended),
        leaf("Hire_Date", fields["hire_date"]),
        leaf("Terminated", ended),
        leaf("Termination_Date", fields["termination_date"]),
    )
