"""Service levels held against what happened: measured now, and tested on stored history before anybody is promised anything."""
