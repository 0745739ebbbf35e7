"""Companies, cost centres and teams; cost centres are written too."""

from __future__ import annotations

from connectors.simulators.tables import Row
from connectors.simulators.workday import data
from connectors.simulators.workday.listing import Listing, invalid_id
from connectors.simulators.workday.messages import Call, Invalid, answer, leaf, reference, references, tag, values


class Organizations(Listing):
    def organization(self, kind: str, code: str) -> Row | None:
        return self.tenant.tables["organizations"].rows.get(data.wid(kind, code))

    def _organization_ids(self, row: Row) -> dict[str, str]:
        special = {"COMPANY": "Company_Reference_ID", "COST_CENTER": "Cost_Center_Reference_ID"}
        code = row["reference_id"]
        named = {special[row["type"]]: code} if row["type"] in special else {}
        return {"WID": row["wid"], "Organization_Reference_ID": code, **named}

    def _organizations(self, *kinds: str) -> dict[str, Row]:
        found = self.tenant.tables["organizations"].rows
        return {key: row for key, row in found.items() if not kinds or row["type"] in kinds}

    def get_organizations(self, call: Call) -> bytes:
        at = self.as_of(call)
        types = [references(each) for each in call.all("Request_Criteria/Organization_Type_Reference")]
        known = self._organizations(*[ids["Organization_Type_ID"] for ids in types if "Organization_Type_ID" in ids])
        keys = self._wanted(call, "Organization", known, lambda key: self._organization_ids(known[key]))
        inactive = call.flag("Request_Criteria/Include_Inactive")
        rows = [known[key] for key in sorted(keys) if inactive or known[key]["active"]]
        return self._listed("Get_Organizations", call, at, [self._organization(row) for row in rows])

    def _organization(self, row: Row) -> str:
        changed = data.stamp(self.tenant.tables["organizations"].changed_at[row["wid"]])
        inner = (
            leaf("Reference_ID", row["reference_id"]),
            leaf("Name", row["name"]),
            leaf("Organization_Code", row["code"]),
            leaf("Inactive", not row["active"]),
            leaf("Last_Updated_DateTime", changed),
            reference("Organization_Type_Reference", {"Organization_Type_ID": row["type"]}),
            reference("Currency_Reference", {"Currency_ID": row["currency"]} if row["currency"] else {}),
            leaf("Country_ISO_Code", row["country"]),
        )
        return tag(
            "Organization",
            reference("Organization_Reference", self._organization_ids(row), row["name"]),
            tag("Organization_Data", *inner),
        )

    def get_cost_centers(self, call: Call) -> bytes:
        at, known = self.as_of(call), self._organizations("COST_CENTER")
        keys = self._wanted(call, "Cost_Center", known, lambda key: self._organization_ids(known[key]))
        return self._listed("Get_Cost_Centers", call, at, [self._cost_center(known[key]) for key in sorted(keys)])

    def _cost_center(self, row: Row) -> str:
        company = self.organization("COMPANY", row["company"])
        inner = (
            leaf("ID", row["reference_id"]),
            leaf("Organization_Name", row["name"]),
            leaf("Organization_Code", row["code"]),
            leaf("Organization_Active", row["active"]),
        )
        own = reference("Cost_Center_Reference", self._organization_ids(row), row["name"])
        restricted = reference("Restricted_to_Companies_Reference", self._organization_ids(company)) if company else ""
        effective = leaf("Effective_Date", row["effective"])
        return tag("Cost_Center", own, tag("Cost_Center_Data", effective, tag("Organization_Data", *inner), restricted))

    def put_cost_center(self, call: Call) -> bytes:
        """Without a reference it makes one, with a reference it changes that one."""
        known = self._organizations("COST_CENTER")
        told = references(call.at("Cost_Center_Reference"))
        found = self._find(told, known, lambda key: self._organization_ids(known[key])) if told else None
        if told and not found:
            raise invalid_id(told, f"/wd:{call.name}/wd:Cost_Center_Reference[1]")
        path = f"/wd:{call.name}/wd:Cost_Center_Data[1]"
        row = self._cost_center_row(call, path)
        if found:
            kept = {name: value for name, value in row.items() if value != ""}
            saved = self.tenant.update(data.ORGANIZATIONS, found, kept)
        else:
            saved = self._new_cost_center(row, path)
        own = reference("Cost_Center_Reference", self._organization_ids(saved))
        return answer("Put_Cost_Center_Response", own, version=call.attribute("version"))

    def _cost_center_row(self, call: Call, path: str) -> Row:
        held = values(call.at("Cost_Center_Data"))
        organization = held.get("Organization_Data", {})
        company = held.get("Restricted_to_Companies_Reference", {})
        code = next(iter(company.values()), "")
        if company and self.organization("COMPANY", code) is None:
            raise invalid_id(company, f"{path}/wd:Restricted_to_Companies_Reference[1]")
        return {
            "type": "COST_CENTER",
            "reference_id": organization.get("ID", ""),
            "name": organization.get("Organization_Name", ""),
            "code": organization.get("Organization_Code", ""),
            "company": code,
            "active": organization.get("Organization_Active", "") in ("", "1", "true"),
            "effective": held.get("Effective_Date", ""),
        }

    def _new_cost_center(self, row: Row, path: str) -> Row:
        place = f"{path}/wd:Organization_Data[1]"
        if not row["name"]:
            words = "The field Organization Name is required and must have a value."
            raise Invalid(words, f"{place}/wd:Organization_Name[1]")
        if self.organization("COST_CENTER", row["reference_id"]) is not None:
            raise Invalid(f"The Reference ID {row['reference_id']} is already in use.", f"{place}/wd:ID[1]")
        now = self.tenant.clock.now()
        code = row["reference_id"] or f"COST_CENTER-{len(self._organizations()) + 1}"
        fresh = {"wid": data.wid("COST_CENTER", code), "reference_id": code, "currency": "", "country": ""}
        whole = {**row, **fresh, "effective": row["effective"] or now.date().isoformat()}
        saved = self.tenant.tables["organizations"].insert(whole, now)
        self.tenant.remember(self.tenant.system, "organizations", saved["wid"], saved, now)
        return saved
