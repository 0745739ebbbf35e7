"""Possible duplicates: what records are compared by, what is held until a person decides, and keys beside the hub's own."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import Entity
from hub.sync.models.config import Sync


class MatchIndex(models.Model):
    """How far the blocks of an entity are made: `digest` says by which rules, `upto` by which key; null when complete."""

    entity = models.OneToOneField(Entity, on_delete=models.CASCADE, primary_key=True, related_name="+")
    digest = models.CharField(max_length=32)
    upto = models.TextField(null=True, db_collation="C")

    def __str__(self) -> str:
        return f"Blocks of entity {self.entity_id}"


class MatchBlock(models.Model):
    """A canonical record stands in a block: only records that share one are compared. See governance.matching.rules."""

    pk = models.CompositePrimaryKey("entity_id", "block", "record_id")
    entity_id = models.BigIntegerField()
    block = models.BigIntegerField()
    record_id = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["record_id"], name="match_block_of_record")]


class LinkedKey(models.Model):
    """The key under which a system knows a record that the hub keeps under another one, and the id that brought it."""

    pk = models.CompositePrimaryKey("entity_id", "key")
    entity_id = models.BigIntegerField()
    key = models.TextField(db_collation="C")
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.CASCADE, related_name="linked_keys", db_constraint=False
    )
    stream = models.ForeignKey("connectors.Stream", on_delete=models.CASCADE, related_name="+", db_constraint=False)
    external_id = models.TextField(db_collation="C")
    # The match rule with its score, or what a person said.
    why = models.TextField()
    at = models.DateTimeField(db_default=Now())


class Duplicate(models.Model):
    """A source record that may be one the hub has. While `open`, the record itself is a HeldRecord; nothing was created."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DECIDED = "decided", "Decided"
        DONE = "done", "Taken in"
        GONE = "gone", "No longer held"

    class Decision(models.TextChoices):
        LINK = "link", "Link: both systems keep this record"
        MERGE = "merge", "Merge: the other record's values stay"
        NEW = "new", "It is new"

    PENDING = (Status.OPEN, Status.DECIDED)

    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="duplicates")
    external_id = models.TextField(db_collation="C")
    key = models.TextField(db_collation="C")
    # The record in the words of the contract.
    body = models.JSONField()
    # [{"record": id, "rule": slug, "name", "score": 0–100, "fields": [[field, score]]}], the first one of the best rule.
    candidates = models.JSONField(default=list)
    # Of the first candidate.
    record = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    score = models.PositiveSmallIntegerField()
    rule = models.CharField(max_length=120)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    # The run that held it last.
    run_id = models.BigIntegerField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=7, choices=Status, default=Status.OPEN, db_default="open")
    decision = models.CharField(max_length=5, choices=Decision, blank=True, db_default="")
    # The record that was chosen; of no meaning for one that is new.
    chosen = models.ForeignKey(
        "records.CanonicalRecord", on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    reason = models.CharField(max_length=500, blank=True, db_default="")
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-score", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sync", "external_id"],
                condition=models.Q(status__in=["open", "decided"]),
                name="duplicate_held_once",
            )
        ]
        indexes = [
            models.Index(fields=["-score", "id"], condition=models.Q(status="open"), name="duplicate_open"),
            models.Index(fields=["run_id"], name="duplicate_by_run"),
        ]

    def __str__(self) -> str:
        return self.key

    def get_absolute_url(self) -> str:
        return reverse("sync:duplicate_detail", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN
