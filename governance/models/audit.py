"""The audit: what people did, sealed in a chain. Rows are added and never changed; see governance.audit."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.audit.words import act_words, detail_words, kind_words


class AuditEntry(models.Model):
    """One act. People are kept by id and by name, without a foreign key: the entry outlives them."""

    at = models.DateTimeField(db_default=Now())
    act = models.TextField()
    kind = models.TextField()
    name = models.TextField()
    domain = models.TextField(blank=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.TextField()
    on_behalf_of_id = models.BigIntegerField(null=True)
    on_behalf_of = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    # SHA-256 of what stood there before and after, as hex; empty where the act changed nothing that is written down.
    before_hash = models.TextField(blank=True)
    after_hash = models.TextField(blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["kind", "name", "-id"], name="audit_by_object"),
            models.Index(fields=["actor", "-id"], name="audit_by_actor"),
            models.Index(fields=["act", "-id"], name="audit_by_act"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.kind} {self.name}".rstrip()

    def get_absolute_url(self) -> str:
        return reverse("governance:audit_entry", args=[self.pk])

    @property
    def words(self) -> str:
        return act_words(self.act)

    @property
    def kind_words(self) -> str:
        return kind_words(self.kind)

    @property
    def detail_words(self) -> list[tuple[str, str]]:
        return detail_words(self.details)


class AuditSeal(models.Model):
    """The link of the chain that holds one entry: `hash` covers the entry and the hash before it."""

    seq = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="seal")
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    # HMAC of the hash under a key that is not in the database.
    mac = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"Seal {self.seq}"


class AuditPending(models.Model):
    """An entry that is committed and not sealed yet."""

    entry = models.OneToOneField(
        AuditEntry, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )

    def __str__(self) -> str:
        return f"Entry {self.entry_id} waits for its seal"


class AuditHead(models.Model):
    """How long the chain is: one row, without which a cut-off end could not be told from a short chain."""

    seq = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    mac = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"Head at {self.seq}"
