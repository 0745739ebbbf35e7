"""The conditions that ship with the hub; each module registers its own."""

from monitoring.alerts.readers import connections, exceptions, late, promises, queues, records, runs

__all__ = ["connections", "exceptions", "late", "promises", "queues", "records", "runs"]
