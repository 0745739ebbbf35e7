"""Who did what, when and why: written with the act, chained after it, and checked by anybody who holds the rows and the key."""
