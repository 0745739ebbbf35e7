"""The result of a dry run, as pages, exports and programs read it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from hub.common.display import MASK
from hub.common.errors import HubError, MissingReference
from hub.sync.payloads import FieldChange, masked_changes, masked_sentence

Would = Literal["create", "update", "skip", "would_duplicate", "reject", "waiting"]
ORDER: tuple[Would, ...] = ("create", "update", "skip", "would_duplicate", "reject", "waiting")
WORDS: dict[str, str] = {
    "create": "Create",
    "update": "Update",
    "skip": "Skip",
    "would_duplicate": "Would duplicate",
    "reject": "Reject",
    "waiting": "Wait",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What would become of one record. `sentence` says why, where the word alone does not; `twin` is the likely double."""

    would: Would
    key: str
    external_id: str = ""
    label: str = ""
    sentence: str = ""
    twin: str = ""
    changes: tuple[FieldChange, ...] = ()

    @property
    def word(self) -> str:
        return WORDS[self.would]


@dataclass(slots=True)
class DryRun:
    """`read` records were looked at; `notes` say what could not be looked at; `secret` names fields to mask."""

    direction: str
    versions: str
    label_field: str = ""
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read: int = 0
    seconds: float = 0.0
    secret: frozenset[str] = frozenset()

    @property
    def counts(self) -> dict[str, int]:
        """would → number, every word present, in order."""
        found = Counter(row.would for row in self.rows)
        return {would: found[would] for would in ORDER}

    def sort(self) -> None:
        """By the order of the words; within one, as they came."""
        self.rows.sort(key=lambda row: ORDER.index(row.would))

    def masked(self) -> DryRun:
        """The same without the values of fields that are not for everybody."""
        return replace(self, rows=[self._masked_row(row) for row in self.rows])

    def _masked_row(self, row: Row) -> Row:
        return replace(
            row,
            changes=tuple(masked_changes(row.changes, self.secret)),
            sentence=masked_sentence(row.sentence, self.secret),
            label=MASK if self.label_field in self.secret and row.label else row.label,
        )


def refusal(error: HubError, key: str, external_id: str = "") -> Row:
    """The row of a record that may not pass: rejected, or waiting for another record."""
    would: Would = "waiting" if isinstance(error, MissingReference) else "reject"
    return Row(would, key, external_id, sentence=str(error))
