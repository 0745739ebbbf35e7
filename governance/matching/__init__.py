"""What makes two records the same: normal forms, blocks, scores. Pure; first loads and arriving records share it."""
