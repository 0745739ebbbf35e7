"""Dead letters of both legs, and the tracked jobs that put them again: filter, plan, items, work, outcome."""
