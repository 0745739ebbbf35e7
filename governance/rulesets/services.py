"""Rulesets are governed: forms, API and files put their documents through the one door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from governance import saving
from governance.models import Ruleset
from hub.common import governed
from hub.common.registry import Document, kind

FOLDER = Path(__file__).resolve().parent / "shipped"


def save_ruleset(document: Document, *, by: Any) -> governed.Put:
    """Make a ruleset or change one. Raises ConfigError for what its kind refuses."""
    return saving.save({"slug": "", **document}, act="ruleset.saved", by=by)


@transaction.atomic
def load_shipped(by: Any = None) -> int:
    """Create the shipped rulesets that this hub lacks, all of them as warnings; returns how many. Never touches others."""
    present = set(Ruleset.objects.values_list("slug", flat=True))
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yaml"))]
    missing = [document for document in documents if document["slug"] not in present]
    for document in missing:
        kind("Ruleset").apply(document, by=by)
    return len(missing)
