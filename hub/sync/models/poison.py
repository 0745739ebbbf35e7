"""Records that were in the hands of workers that fell."""

from __future__ import annotations

from django.db import models

from hub.sync.models.config import Sync


class Suspect(models.Model):
    """A record that is taken alone, because a worker fell while it had it in hand. Written by hub.sync.poison alone."""

    pk = models.CompositePrimaryKey("sync_id", "key")
    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="+", db_index=False)
    # In: the record's id at its source; out: the id of the canonical record.
    key = models.TextField(db_collation="C")
    # How often a worker fell over it; counted before the record is touched.
    crashes = models.SmallIntegerField()
    is_in_hand = models.BooleanField(db_default=False)
    # In: what the record said. Another content, or another version of the mapping, is innocent.
    hash = models.BinaryField(max_length=16, null=True)
    # In: the run in which it got through, while the other records of its page are still taken alone.
    passed_run_id = models.BigIntegerField(null=True)
