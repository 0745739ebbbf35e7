"""How fast a connector reads beside the bare client: the same source on loopback, in the same run."""
