"""Pages of mappings and value maps."""
