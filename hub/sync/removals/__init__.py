"""Records that are gone at their source: told by a mark, or found by a crawl that may be believed (docs/removals.md)."""
