"""Event types of the firm: which transitions of a record are told as events, and what each of them says."""
