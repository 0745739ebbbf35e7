"""How fast the pages of a hub are that has worked for months."""
