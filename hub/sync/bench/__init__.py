"""Benchmarks: the hub beside a hand-written path and the bare limit, in one run on one machine."""
