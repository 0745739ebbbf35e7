"""Billing rules: decision tables that are checked for overlaps and gaps before they decide anything."""
