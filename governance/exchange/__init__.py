"""Contracts in the formats that others read and write: ODCS, JSON Schema 2020-12, AsyncAPI 3.0."""
