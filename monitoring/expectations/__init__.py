"""The ledger of expectations: what has to have happened by when, opened by what happened and broken by the clock alone."""
