"""Systems of record on the write path: values that were stopped, what becomes of them, and what a change would stop."""
