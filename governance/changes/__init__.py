"""Change requests: an edit that somebody else has to agree to waits here, and what is live stays live."""
