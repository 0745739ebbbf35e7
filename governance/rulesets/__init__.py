"""Rules for contracts: what a rule asks for, which contracts it is for, and what fails it."""
