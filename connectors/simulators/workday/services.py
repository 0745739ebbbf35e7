"""The web services of the tenant: one method for each operation, each from the content of a message to that of an answer."""

from __future__ import annotations

from collections.abc import Callable

from connectors.simulators.base import Simulator
from connectors.simulators.workday.messages import Call, Invalid, check_order
from connectors.simulators.workday.orders import ORDERS
from connectors.simulators.workday.projects import Projects


class Services(Projects):
    """Carries out the operations on the tables of a tenant. Raises Invalid and Problem."""

    def __init__(self, tenant: Simulator) -> None:
        super().__init__(tenant)
        self.operations: dict[str, dict[str, Callable[[Call], bytes]]] = {
            "Human_Resources": {
                "Get_Workers_Request": self.get_workers,
                "Get_Organizations_Request": self.get_organizations,
            },
            "Financial_Management": {
                "Get_Cost_Centers_Request": self.get_cost_centers,
                "Put_Cost_Center_Request": self.put_cost_center,
            },
            "Resource_Management": {
                "Get_Projects_Request": self.get_projects,
                "Submit_Project_Request": self.submit_project,
            },
            "Time_Tracking": {"Import_Reported_Time_Blocks_Request": self.import_time},
        }

    def carry_out(self, service: str, call: Call) -> bytes:
        known = self.operations.get(service, {})
        if call.name not in known:
            raise Invalid(f"Invalid request element: {call.name}")
        check_order(call.element, ORDERS)
        return known[call.name](call)
