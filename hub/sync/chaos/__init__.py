"""Proof by breaking: targets and sources that misbehave, workers that are killed, and a checker that reads the target."""
