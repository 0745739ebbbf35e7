"""People, service accounts, roles, domains and API tokens."""
