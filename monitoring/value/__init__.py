"""What the hub is worth: measures computed from the ledger and the canonical records, each with the rows behind it."""
