"""Simulated Microsoft services: one OData engine, and what Business Central, Finance and Dataverse each do their own way."""
