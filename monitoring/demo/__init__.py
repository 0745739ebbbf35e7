"""The demo firm held against what is known to be wrong with it: every planted fault found, and nothing else."""
