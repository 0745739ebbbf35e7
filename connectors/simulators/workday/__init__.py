"""A simulated Workday tenant: web services (SOAP), REST API, reports as a service. Its XML is made and read by hand."""

from connectors.simulators.workday.simulator import WorkdaySimulator

__all__ = ["WorkdaySimulator"]
