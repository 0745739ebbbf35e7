"""The sample records behind the editor: read once for each person, kept encrypted, forgotten after an hour.

Records of a source come from its connection. Records of the hub come from whoever keeps them: a higher package says how
with `register_sample_provider("out", provider)`, because nothing here may know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connectors.services import sample_records
from hub.common.errors import HubError, RecordError
from hub.common.records import FieldInfo, Record
from mappings.convert import parse_number, to_json, to_text
from mappings.models import Mapping, SampleSet
from mappings.paths import MISSING, parse_path, place, read_path
from mappings.sides import sides_of

POOL, SIZE = 50, 5
LIFETIME = timedelta(hours=1)
ONLY_EXAMPLES = "These are the examples of the field descriptions, not real records."

# (mapping, how many at most) to records that the mapping may meet; it may raise HubError.
SampleProvider = Callable[[Mapping, int], Sequence[Record]]


def _from_source(mapping: Mapping, limit: int) -> Sequence[Record]:
    return sample_records(mapping.stream, limit=limit)


_providers: dict[str, SampleProvider] = {"in": _from_source}


def register_sample_provider(direction: str, provider: SampleProvider) -> None:
    """Say where real records for mappings of a direction ("in" or "out") come from."""
    _providers[direction] = provider


@dataclass(frozen=True, slots=True)
class Sample:
    """One record, by what its key fields hold, and why it was picked: first, most empty, negative, …"""

    label: str
    why: str
    body: Record


@dataclass(frozen=True, slots=True)
class Samples:
    """Up to five records. `read_at` is None for examples; `sentence` says why these are no real records."""

    records: tuple[Sample, ...] = ()
    read_at: datetime | None = None
    sentence: str = ""

    @property
    def bodies(self) -> list[Record]:
        return [sample.body for sample in self.records]


def kept_samples(mapping: Mapping, reader: Any) -> Samples:
    """What this person's editor read within the hour, else the examples of the field descriptions. Reads no system."""
    found = SampleSet.objects.filter(mapping=mapping, reader_id=reader.pk, expires_at__gt=timezone.now()).first()
    if found is None:
        return examples_of(mapping)
    records = tuple(Sample(**each) for each in found.content["records"])
    return Samples(
        records, found.read_at if records and not found.content["sentence"] else None, found.content["sentence"]
    )


def read_samples(mapping: Mapping, reader: Any) -> Samples:
    """Read real records now and keep them; where the system does not answer, examples and the reason are kept."""
    forget_expired_samples()
    samples = _read(mapping)
    content = {"records": [asdict(each) for each in samples.records], "sentence": samples.sentence}
    now = timezone.now()
    SampleSet.objects.update_or_create(
        mapping=mapping,
        reader=reader,
        defaults={"content": content, "read_at": now, "expires_at": now + LIFETIME},
    )
    return samples


def _read(mapping: Mapping) -> Samples:
    try:
        records = _providers[mapping.direction](mapping, POOL) if mapping.direction in _providers else []
    except HubError as error:
        return Samples(examples_of(mapping).records, sentence=f"No records could be read: {error} {ONLY_EXAMPLES}")
    if not records:
        return Samples(examples_of(mapping).records, sentence=f"There are no records yet. {ONLY_EXAMPLES}")
    key = sides_of(mapping).key
    picked = pick([to_json(record) for record in records], key)
    return Samples(tuple(picked), timezone.now())


def forget_expired_samples() -> int:
    """Delete what is older than its hour; returns how many sets."""
    return SampleSet.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def examples_of(mapping: Mapping) -> Samples:
    """One record made of the examples that the field descriptions carry; nothing when they carry none."""
    body: Record = {}
    for info in sides_of(mapping).sources:
        if info.example:
            place(body, parse_path(info.path), _typed(info))
    return Samples((Sample("example", "", body),) if body else (), sentence=ONLY_EXAMPLES)


def _typed(info: FieldInfo) -> Any:
    """Examples are text; numbers and truth values are put back so that they meet the rules as records do."""
    if info.type == "boolean":
        return info.example.lower() == "true"
    if info.type == "integer" and info.example.lstrip("-").isdigit():
        return int(info.example)
    return info.example


# --- which five ------------------------------------------------------------------------------------------------------


def pick(records: Sequence[Record], key: Sequence[str] = ()) -> list[Sample]:
    """The first record and those at the edges: most empty, not ASCII, negative, longest; then the next ones."""
    chosen: dict[int, str] = {}
    for why, at in _edges(records):
        if at is not None and at not in chosen:
            chosen[at] = why
    for at in range(min(len(records), SIZE)):
        chosen.setdefault(at, "")
    return [Sample(label_of(records[at], at, key), why, records[at]) for at, why in chosen.items()][:SIZE]


def _edges(records: Sequence[Record]) -> Iterator[tuple[str, int | None]]:
    leaves = [list(_leaves(record)) for record in records]
    places = range(len(records))
    yield "first", 0 if records else None
    yield "most empty", max(places, key=lambda at: sum(leaf in (None, "") for leaf in leaves[at]), default=None)
    yield "not ASCII", _first(at for at in places if any(isinstance(x, str) and not x.isascii() for x in leaves[at]))
    yield "negative", _first(at for at in places if any(map(_is_negative, leaves[at])))
    yield "longest", max(places, key=lambda at: max((len(str(leaf)) for leaf in leaves[at]), default=0), default=None)


def _first(places: Iterator[int]) -> int | None:
    return next(places, None)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def _is_negative(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    if isinstance(value, str) and not value.startswith("-"):
        return False
    try:
        number = parse_number(value)
    except RecordError:
        return False
    return number is not None and number < 0


def label_of(record: Record, place: int, key: Sequence[str]) -> str:
    """The key of a record as text, or its place when it has none."""
    texts = []
    for path in key:
        try:
            value = read_path(record, parse_path(path))
            texts.append("" if value is MISSING else to_text(value) or "")
        except HubError:
            texts.append("")
    return " · ".join(filter(None, texts)) or f"record {place + 1}"
