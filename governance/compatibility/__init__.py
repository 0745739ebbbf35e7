"""What a change of a contract breaks: kinds of change, the comparison of two schemas, and the verdict.

*Forward* asks whether who reads by the old contract can take new data; *backward*, whether who reads by the new one can take
old data, which replays need. Pure: nothing here reads the database.
"""
