"""First loads: what makes two records the same, one adoption, and what it has read. Nothing here is canonical."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from simple_history.models import HistoricalRecords

from governance.models import Entity
from governance.ordered_json import OrderedJSONField
from hub.sync.models.config import Sync


class MatchDefinition(models.Model):
    """How records of an entity are matched, for all its syncs or for one; see governance.matching.definition for the fields."""

    slug = models.SlugField(unique=True, max_length=80)
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="match_definitions")
    # Empty: for every sync of the entity that has none of its own.
    sync = models.OneToOneField(Sync, on_delete=models.CASCADE, null=True, blank=True, related_name="match_definition")
    fields = models.JSONField(default=list)
    same_at = models.PositiveSmallIntegerField(default=92)
    maybe_at = models.PositiveSmallIntegerField(default=75)
    keep_target = models.JSONField(default=list, blank=True)
    may_clear = models.JSONField(default=list, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["entity"], condition=models.Q(sync__isnull=True), name="one_match_definition_an_entity"
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("fields", "same_at", "maybe_at", "keep_target", "may_clear")}


class Adoption(models.Model):
    """One first load: `target` delivers to what is adopted, `source` reads what is matched with it.

    Without a source it is what the hub already holds. The row is also the lease of its worker, fenced by `epoch`.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waits for its parents"
        READING = "reading", "Reading"
        MATCHING = "matching", "Matching"
        REVIEW = "review", "Waits for approval"
        LINKING = "linking", "Linking"
        CREATING = "creating", "Releasing what is new"
        DONE = "done", "Done"
        ABANDONED = "abandoned", "Abandoned"

    # Nothing is delivered to either stream while an adoption is in one of these.
    SHUT = (Status.WAITING, Status.READING, Status.MATCHING, Status.REVIEW, Status.LINKING)
    OPEN = (*SHUT, Status.CREATING)
    # A worker has something to do; in review a person has.
    WORKING = (Status.WAITING, Status.READING, Status.MATCHING, Status.LINKING, Status.CREATING)

    target = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="adoptions")
    source = models.ForeignKey(Sync, on_delete=models.CASCADE, null=True, related_name="+")
    stream_ids = ArrayField(models.BigIntegerField(), default=list)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    # Why it does not go on by itself, or what a worker will try again.
    error = models.TextField(blank=True)
    is_halted = models.BooleanField(default=False)
    rules = models.JSONField(default=dict)
    side = models.PositiveSmallIntegerField(default=1)
    resume = models.JSONField(null=True)
    read_source = models.PositiveIntegerField(default=0)
    read_target = models.PositiveIntegerField(default=0)
    target_read_at = models.DateTimeField(null=True)
    notes = models.JSONField(default=list)
    requested_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    approved_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target"],
                condition=models.Q(status__in=["waiting", "reading", "matching", "review", "linking", "creating"]),
                name="one_open_adoption_a_sync",
            )
        ]

    def __str__(self) -> str:
        return f"First load {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def entity(self) -> Entity:
        return self.target.entity


class StagedRecord(models.Model):
    """One record of one side as it was read, and what the matching and people made of it.

    `body` is the record in the words of the contract, as far as it can be told. A source record carries the verdict of
    its pair; a target record one only where it stands alone.
    """

    class Side(models.IntegerChoices):
        SOURCE = 1, "Source"
        TARGET = 2, "Target"

    class Verdict(models.TextChoices):
        KNOWN = "known", "Linked before"
        LINKED = "linked", "Same"
        CONFLICT = "conflict", "Same, with differences"
        MAYBE = "maybe", "Maybe the same"
        CREATE = "create", "To be created"
        TARGET_ONLY = "target_only", "Only at the target"
        REFUSED = "refused", "Cannot pass"

    class Decision(models.TextChoices):
        NONE = "", "Nobody has decided"
        LINK = "link", "Same"
        NEW = "new", "New"
        LEAVE = "leave", "Left out"

    adoption = models.ForeignKey(Adoption, on_delete=models.CASCADE, related_name="records", db_index=False)
    side = models.SmallIntegerField(choices=Side)
    external_id = models.TextField(db_collation="C")
    key = models.TextField(db_collation="C", blank=True)
    label = models.TextField(blank=True)
    record = OrderedJSONField()  # in the source's order: its hash must be that of a later read
    body = models.JSONField()
    record_id = models.BigIntegerField(null=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.TextField(null=True)
    verdict = models.CharField(max_length=11, choices=Verdict, blank=True)
    partner = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    score = models.PositiveSmallIntegerField(default=0)
    # [{"id": staged id, "score": 0–100}], best first: at the other side, and on its own side.
    candidates = models.JSONField(default=list)
    twins = models.JSONField(default=list)
    # [{"field", "there", "here", "wins": hub | target}] by the target's field names.
    differences = models.JSONField(default=list)
    why = models.TextField(blank=True)
    decision = models.CharField(max_length=5, choices=Decision, blank=True)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["adoption", "side", "external_id"], name="staged_once_a_side"),
            # Two source records never lead to one record of the target.
            models.UniqueConstraint(
                fields=["partner"], condition=models.Q(partner__isnull=False), name="staged_partner_once"
            ),
        ]
        indexes = [
            models.Index(fields=["adoption", "side", "verdict", "id"], name="staged_by_verdict"),
            models.Index(fields=["adoption", "side", "key"], name="staged_by_key"),
        ]

    def __str__(self) -> str:
        return self.key or self.external_id

    @property
    def kept(self) -> list[str]:
        """Fields of the target that keep their value there."""
        return [one["field"] for one in self.differences if one["wins"] == "target"]
