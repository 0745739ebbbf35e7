"""Alerts: one notice for each change of state, to whom it concerns, with the money that hangs on it."""
