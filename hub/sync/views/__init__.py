"""Pages of syncs, runs, the ledger, and records in trouble; split by subject."""
