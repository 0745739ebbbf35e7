"""Reconciliation: two sides compared record by record, every gap with its label, and people who settle what is left."""
