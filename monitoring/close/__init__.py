"""Periods, what stands between them and their close, and what becomes of postings that come too late."""
