"""The exception queue: what a person has to settle, gathered from all parts of the hub, with cause, money and deadline."""
