"""A file that a person uploaded: what stands in it, what would become of it, and how far it was taken in."""

from __future__ import annotations

from typing import Any

import orjson
import zstandard
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from hub.sync.models import Sync


class Upload(models.Model):
    """One file for one sync.

    `refused` are rows that could not be read: [{row, column, reason, values}]. `preview` is what a dry run said:
    {counts, notes, rows: [{would, row, key, label, sentence, changes}]}, with masked values masked.
    """

    class State(models.TextChoices):
        PREVIEWED = "previewed", "Waits for you"
        CONFIRMED = "confirmed", "Being taken in"
        DONE = "done", "Taken in"
        DISCARDED = "discarded", "Discarded"

    sync = models.ForeignKey(Sync, on_delete=models.CASCADE, related_name="uploads")
    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.PREVIEWED)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(default=0)
    columns = models.JSONField(default=list)
    notes = models.JSONField(default=list)
    refused = models.JSONField(default=list)
    preview = models.JSONField(default=dict)
    run_ids = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["sync", "-id"], name="upload_of_sync")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_open(self) -> bool:
        return self.state == self.State.PREVIEWED


class UploadPage(models.Model):
    """Some rows of a file, taken in by one transaction. `body` is zstd of [[row number, external id, record], …]."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    body = models.BinaryField()
    run_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="upload_page_once")]

    @property
    def entries(self) -> list[list[Any]]:
        found: list[list[Any]] = orjson.loads(zstandard.decompress(bytes(self.body)))
        return found

    @classmethod
    def of(cls, upload: Upload, number: int, entries: list[list[Any]]) -> UploadPage:
        return cls(upload=upload, number=number, body=zstandard.compress(orjson.dumps(entries)))
