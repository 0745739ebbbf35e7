"""First load of two systems that both hold data: read both, match, show, write after approval. See docs/first-load.md."""
