"""What happens to a page before it touches the canonical tables: key, hash, skip, contract, map, references.

Reads only; everything that is decided here is checked again under lock when the page is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.treatment import Breach, Treated, treat, unknown_field
from hub.common.db import plain_cursor
from hub.common.errors import Discarded, HubError, MissingReference, RecordError
from hub.common.records import BadRecord, Record, joined_key
from hub.records.copying import ESCAPED_NUL, has_nul, json_bytes, without_nul
from hub.records.queries import crosswalk_of, existing_keys, ids_by_key, keys_by_external_id
from hub.sync.duplicates import keys as linked_keys
from hub.sync.plan import Reference, SyncPlan

# How a record that could not be read is kept: {"raw": the beginning of its text}.
RAW = "raw"
RAW_LIMIT = 100_000


@dataclass(slots=True)
class Item:
    """A record on its way in. `record_id` is set when the hub knows the object; `body` once it is mapped."""

    position: int
    record: Record
    external_id: str
    hash: bytes = b""
    json: bytes = b""  # the mapped body as it will be stored
    body: Record = field(default_factory=dict)
    key: str = ""
    record_id: int | None = None
    is_linked: bool = False  # known under its key, but not yet under this stream's id
    parents: dict[str, str] = field(default_factory=dict)  # references to the same entity as the source gave them


@dataclass(slots=True)
class Problem:
    """A record that may not pass, with the reason."""

    position: int
    record: Record
    external_id: str
    error: HubError
    key: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """A breach of a record's contract, or of its source's schema."""

    external_id: str
    breach: Breach
    is_at_source: bool = False


@dataclass(slots=True)
class Prepared:
    """A page sorted into what is new, what is known, what is unchanged, what may not pass, what is gone: in all `read`."""

    read: int
    new: list[Item] = field(default_factory=list)
    known: list[Item] = field(default_factory=list)
    unchanged_ids: list[int] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)  # their external ids
    repeated: int = 0  # the same record twice in one page: the last one counts
    raws: list[bytes] = field(default_factory=list)  # every record of the page as JSON, by position
    problems: list[Problem] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)  # told by the source that they are
    merging: list[tuple[Item, str]] = field(default_factory=list)  # with the id of the record they were merged into
    is_decided: bool = False  # people have said of each new record that it is new
    breaches: list[Noted] = field(default_factory=list)
    blocked: HubError | None = None  # why nothing of the page may be stored
    merged: int = 0  # shown still, although they were merged into another one


def prepare(
    plan: SyncPlan, records: Sequence[Record], bad: Iterable[BadRecord] = (), gone: Sequence[Record] = ()
) -> Prepared:
    """Sort one page. Record errors become problems; anything else is raised and stops the run.

    `gone` are records of which something beside them says that they are gone at the source.
    """
    page = Prepared(read=len(records))
    page.raws = [json_bytes(record) for record in records]
    for broken in bad:
        _set_aside(broken, page)
    _set_gone(plan, gone, page)
    items = _part_merged(plan, _part_gone(plan, _identified(plan, records, page), page), page)
    _hash(plan, items, page)
    todo = _skip_unchanged(plan, items, page)
    mapped = _map(plan, _keep_contract(plan, todo, page), page)
    complete = _resolve(plan, mapped, page)
    _place(plan, keep_families(plan, _check(plan, complete, page), page), page)
    return page


def _set_aside(broken: BadRecord, page: Prepared) -> None:
    """A record that could not be read stands behind the others of its page, as text where it could not be parsed."""
    record = broken.record or {RAW: without_nul(broken.raw)[:RAW_LIMIT]}
    found = broken.external_id or f"#{broken.position}"
    page.problems.append(Problem(len(page.raws), record, found, broken.error))
    page.raws.append(json_bytes(record))
    page.read += 1


def _set_gone(plan: SyncPlan, records: Sequence[Record], page: Prepared) -> None:
    for record in records:
        page.gone.append(Item(len(page.raws), record, external_id(record, plan.stream.key)))
        page.raws.append(json_bytes(record))
        page.read += 1


def _part_gone(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    """What says of itself that it is gone need not keep the contract."""
    if not plan.mark.path:
        return items
    page.gone += [item for item in items if plan.mark.is_on(item.record)]
    return [item for item in items if not plan.mark.is_on(item.record)]


def _part_merged(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    """Leave out what was merged into another record, and set apart what its source says was."""
    page.merged += sum(item.external_id in plan.merged_ids for item in items)
    items = [item for item in items if item.external_id not in plan.merged_ids]
    path = plan.sync.merged_path
    if not path:
        return items
    into = {item.external_id: str(found) for item in items if (found := _at(item.record, path)) not in (None, "")}
    here = crosswalk_of(plan.stream_id, set(into.values())).keys() | {item.external_id for item in items}
    for item in items:
        winner = into.get(item.external_id)
        if winner is not None and winner in here:
            page.merging.append((item, winner))
        elif winner is not None:
            _reject(item, MissingReference(path, plan.entity.slug, winner, stream_id=plan.stream_id), page)
    return [item for item in items if item.external_id not in into]


def external_id(record: Record, key: Sequence[str]) -> str:
    """The record's id at its source, as text; several key fields are joined. Raises RecordError when one is empty."""
    parts = []
    for name in key:
        value = _at(record, name)
        if value is None or value == "":
            raise RecordError(
                f"The record has no value in its key field {name!r}.", field=name, fix="Correct it at its source."
            )
        parts.append(value if isinstance(value, str) else _plain(value))
    return joined_key(parts)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _at(record: Any, path: str) -> Any:
    if isinstance(record, dict) and path in record:
        return record[path]
    for part in path.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def _identified(plan: SyncPlan, records: Sequence[Record], page: Prepared) -> list[Item]:
    key = plan.stream.key
    single = key[0] if len(key) == 1 and "." not in key[0] else None
    items: dict[str, Item] = {}
    for position, record in enumerate(records):
        try:
            value = record.get(single) if single else None
            found = value if isinstance(value, str) and value else external_id(record, key)
            if "\x00" in found:
                raise RecordError("The key contains the character NUL.", field=key[0], fix="Correct it at its source.")
        except RecordError as error:
            page.problems.append(Problem(position, record, f"#{position}", error))
            continue
        if found in items:
            page.repeated += 1
        items[found] = Item(position, record, found)
    return list(items.values())


def _hash(plan: SyncPlan, items: list[Item], page: Prepared) -> None:
    salt, blake2b, raws = plan.salt, hashlib.blake2b, page.raws
    for item in items:
        item.hash = blake2b(raws[item.position], digest_size=16, salt=salt).digest()


def _skip_unchanged(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    if plan.is_first_load:
        return items
    known = crosswalk_of(plan.stream_id, [item.external_id for item in items])
    todo = []
    for item in items:
        found = known.get(item.external_id)
        if found is None:
            todo.append(item)
        elif found[0] == item.hash:
            page.unchanged_ids.append(found[1])
            page.unchanged.append(item.external_id)
        else:
            item.record_id = found[1]
            todo.append(item)
    return todo


def _keep_contract(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    check = plan.source_contract
    if check is None:
        return items
    kept = []
    for item in items:
        if check.passes(item.record):
            kept.append(item)
            continue
        treated = treat(check, item.record, plan.source_policy, key=plan.stream.key)
        if _is_taken(item, treated, page, error=check.first_error, is_at_source=True):
            item.record = treated.body
            kept.append(item)
    return kept


def _is_taken(
    item: Item, treated: Treated, page: Prepared, *, error: Callable[[Record], RecordError], is_at_source: bool = False
) -> bool:
    """Note what a record breaks; False where it may not pass, which then stands among the problems."""
    page.breaches += [Noted(item.external_id, breach, is_at_source) for breach in treated.breaches]
    if treated.action == "pass":
        return True
    found = error(treated.body)
    if treated.action == "row_dropped":
        found = Discarded(found.what, field=found.field, fix="The contract drops such records.")
    elif treated.action == "blocked":
        page.blocked = page.blocked or found
    _reject(item, found, page)
    return False


def _map(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    mapped = []
    for item, result in zip(items, plan.mapper.apply_all([item.record for item in items]), strict=True):
        if isinstance(result, dict):
            item.body = {k: v for k, v in result.items() if k not in plan.dropped} if plan.dropped else result
            if len(item.body) == len(result) or _may_drop(plan, item, result, page):
                mapped.append(item)
        else:
            _reject(item, result.error, page)
    return mapped


def _may_drop(plan: SyncPlan, item: Item, result: Record, page: Prepared) -> bool:
    """Note the fields that the contract does not know, once a page; False where they take the record with them."""
    noted = {each.breach.field for each in page.breaches}
    is_row = plan.policy.modes["field"] == "discard_row"
    for name in (name for name in result if name in plan.dropped):
        if is_row or name not in noted:
            page.breaches.append(Noted(item.external_id, unknown_field(name, is_row=is_row)))
    if not is_row:
        return True
    names = ", ".join(name for name in result if name in plan.dropped)
    text = f"The record has fields that the contract does not know: {names}."
    _reject(item, Discarded(text, field=names, fix="The contract drops such records."), page)
    return False


def _resolve(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    """References become canonical keys of records that exist; a record whose parent is missing waits."""
    missing: dict[int, MissingReference] = {}
    for reference in plan.references:
        given = {item.position: value for item in items if (value := item.body.get(reference.target)) not in (None, "")}
        keys = _lookup(plan, reference, {str(value) for value in given.values()})
        if reference.entity_id == plan.entity.pk:
            keys = {**_own_keys(plan, reference, items), **keys}
        known_as = plan.aliases.get(reference.entity_id, {})
        for item in items:
            value = given.get(item.position)
            if value is None:
                continue
            key = keys.get(str(value))
            if key is not None:
                item.body[reference.target] = known_as.get(key, key)
                if reference.entity_id == plan.entity.pk:
                    item.parents[reference.target] = str(value)
            elif item.position not in missing:
                missing[item.position] = MissingReference(
                    reference.target, reference.entity, str(value), stream_id=reference.stream_id
                )
    for item in items:
        if item.position in missing:
            _reject(item, missing[item.position], page)
    return [item for item in items if item.position not in missing]


def _lookup(plan: SyncPlan, reference: Reference, values: set[str]) -> dict[str, str]:
    """given value → canonical key, for those that exist. Keys seen once are remembered for the run."""
    if reference.stream_id is not None:
        return keys_by_external_id(reference.stream_id, values)
    seen = plan.known_keys.setdefault(reference.entity_id, set())
    if unseen := values - seen:
        seen |= existing_keys(reference.entity_id, unseen)
    found = {value: value for value in values if value in seen}
    if reference.entity_id in plan.linked_entities and len(found) < len(values):
        found |= {own: key for own, (_, key) in _linked(reference.entity_id, values - found.keys()).items()}
    return found


def _linked(entity_id: int, keys: set[str]) -> dict[str, tuple[int, str]]:
    """A system's own key → (canonical id, canonical key)"""
    with plain_cursor() as cursor:
        return linked_keys.find(cursor, entity_id, keys)


def _own_keys(plan: SyncPlan, reference: Reference, items: list[Item]) -> dict[str, str]:
    """A parent of the same kind may come in the same page as its child.

    Where the source gives ids of another stream, nothing in this page tells whose they are.
    """
    if reference.stream_id not in (None, plan.stream_id):
        return {}
    keys = {}
    for item in items:
        try:
            key = external_id(item.body, plan.contract.markers.key)
        except RecordError:
            continue
        keys[key if reference.stream_id is None else item.external_id] = key
    return keys


def keep_families(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    """A record whose parent came in the same page and may not pass waits for it."""
    streams = {r.target: r.stream_id for r in plan.references if r.entity_id == plan.entity.pk}
    targets = list(streams)
    while targets and items:
        wanted = {str(v) for item in items for t in targets if (v := item.body.get(t)) not in (None, "")}
        here = {item.key for item in items}
        gone = wanted - here - existing_keys(plan.entity.pk, wanted - here)
        orphans = {item.position: (item, t) for item in items for t in targets if str(item.body.get(t)) in gone}
        if not orphans:
            break
        for item, target in orphans.values():
            missing = MissingReference(target, plan.entity.slug, item.parents[target], stream_id=streams[target])
            _reject(item, missing, page)
        items = [item for item in items if item.position not in orphans]
    return items


def _check(plan: SyncPlan, items: list[Item], page: Prepared) -> list[Item]:
    passes, key_fields = plan.contract.passes, plan.contract.markers.key
    single = key_fields[0] if len(key_fields) == 1 else None
    kept = []
    for item in items:
        body = item.body
        if not passes(body):
            treated = treat(plan.contract, body, plan.policy)
            if not _is_taken(item, treated, page, error=plan.contract.first_error):
                continue
            body = item.body = treated.body
        try:
            value = body.get(single) if single else None
            item.key = value if value.__class__ is str and value else external_id(body, key_fields)
        except RecordError as error:
            _reject(item, error, page)
            continue
        item.json = json_bytes(body)
        if ESCAPED_NUL in item.json and has_nul(body):
            text = "A text contains the character NUL, which no database of the hub can hold."
            _reject(item, RecordError(text, fix="Remove it at its source.", code="NUL"), page)
            continue
        kept.append(item)
    return kept


def _place(plan: SyncPlan, items: list[Item], page: Prepared) -> None:
    """Records that are new to this stream may still be known to the hub under their key."""
    losers = plan.aliases.get(plan.entity.pk, {})
    fresh = [item for item in items if item.record_id is None]
    linked = _linked(plan.entity.pk, {item.key for item in fresh}) if plan.entity.pk in plan.linked_entities else {}
    if losers:
        lost = {item.key for item in fresh if linked.get(item.key, (0, item.key))[1] in losers}
        page.merged += sum(item.key in lost for item in fresh)
        items = [item for item in items if item.record_id is not None or item.key not in lost]
        fresh = [item for item in items if item.record_id is None]
    known = ids_by_key(plan.entity.pk, [item.key for item in fresh]) if fresh and not plan.is_first_load else {}
    known = {own: record_id for own, (record_id, _) in linked.items()} | known
    for item in items:
        if item.record_id is None:
            item.record_id = known.get(item.key)
            item.is_linked = item.record_id is not None
        (page.new if item.record_id is None else page.known).append(item)


def _reject(item: Item, error: HubError, page: Prepared) -> None:
    record = without_nul(item.record) if has_nul(item.record) else item.record
    page.problems.append(Problem(item.position, record, item.external_id, error, key=item.key))
