"""Service levels without a database: what is promised, how it is said, counted and judged."""
