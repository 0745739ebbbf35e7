"""Match rules: an entity's rules by which a record that is new at one system is recognised as one of another."""
