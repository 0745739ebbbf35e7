"""A record that a system shows for the first time is compared with those of other systems, and held where it may be one."""
