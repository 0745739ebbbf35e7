"""The control room: what is wrong now, in business units, and where to look."""
