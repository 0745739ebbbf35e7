"""Systems of record: rules compiled for the engine, checked for overlaps and gaps, and changed by people."""
