"""Every change of a draft: row by row, with a check that nobody else changed the row, a log, undo, and going live."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from django.db import transaction

from hub.common import governed
from hub.common.errors import ConfigError, HubError
from mappings.models import DraftEdit, Mapping, MappingVersion
from mappings.phrasing import describe, differences, summary
from mappings.rules import FieldRule, dump_rules, parse_rules
from mappings.services import activate_draft, edit_draft

UNDO_STEPS = 50
Rules = list[dict[str, Any]]


class ChangedMeanwhile(HubError):
    """Somebody else changed what this person was looking at; nothing was saved."""

    code = "CHANGED_MEANWHILE"


class DraftBlocked(ConfigError):
    """The draft has problems that would stop records; it stays a draft."""

    code = "DRAFT_BLOCKED"


def row_mark(rule: FieldRule | None) -> str:
    """What a row looked like when it was shown: sent back with a change, so that two people cannot undo each other."""
    data = dump_rules([rule])[0] if rule else None
    return hashlib.blake2s(orjson.dumps(data, default=str), digest_size=6).hexdigest()


def rules_mark(rules: Rules) -> str:
    """The same for a whole draft."""
    return hashlib.blake2s(orjson.dumps(rules, default=str, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def save_rule(*, mapping: Mapping, rule: FieldRule, seen: str, by: Any, order: Sequence[str] = ()) -> MappingVersion:
    """Set the rule of one target. `order` lists the target's fields, so that a new rule takes its place among them."""

    def change(rules: tuple[FieldRule, ...], draft: MappingVersion) -> list[FieldRule]:
        _check_seen(rules, draft, rule.target, seen, by)
        if any(each.target == rule.target for each in rules):
            return [rule if each.target == rule.target else each for each in rules]
        return _inserted(rules, rule, order)

    return _change(mapping, change, f"{rule.target}: {describe(rule)}", by)


def remove_rule(*, mapping: Mapping, target: str, seen: str, by: Any) -> MappingVersion:
    """Map a target no longer."""

    def change(rules: tuple[FieldRule, ...], draft: MappingVersion) -> list[FieldRule]:
        _check_seen(rules, draft, target, seen, by)
        return [each for each in rules if each.target != target]

    return _change(mapping, change, f"{target}: not mapped", by)


def add_rules(*, mapping: Mapping, rules: Sequence[FieldRule], by: Any, order: Sequence[str] = ()) -> list[str]:
    """Add rules for targets that have none; a rule that a person made is never replaced. Returns the targets added."""
    added: list[str] = []

    def change(present: tuple[FieldRule, ...], draft: MappingVersion) -> list[FieldRule]:
        result = list(present)
        for rule in rules:
            if all(each.target != rule.target for each in result):
                result = _inserted(result, rule, order)
                added.append(rule.target)
        return result

    _change(mapping, change, f"{len(rules)} suggestions accepted", by)
    return added


def replace_rules(*, mapping: Mapping, rules: Rules, by: Any, seen: str = "", note: str = "") -> MappingVersion:
    """Set all rules at once; with `seen` (of `rules_mark`) only when nobody changed the draft meanwhile."""

    def change(present: tuple[FieldRule, ...], draft: MappingVersion) -> list[FieldRule]:
        if seen and seen != rules_mark(draft.rules):
            raise _changed(draft, "The draft", by)
        return list(parse_rules(rules))

    return _change(mapping, change, note or "all rules replaced", by)


def restore_version(*, mapping: Mapping, number: int, by: Any) -> MappingVersion:
    """Make the rules of an earlier version the draft's."""
    version = mapping.versions.filter(number=number).first()
    if version is None:
        raise ConfigError(f"The mapping has no version {number}.", where=mapping.slug)
    return replace_rules(mapping=mapping, rules=version.rules, by=by, note=f"version {number} restored")


@transaction.atomic
def undo(*, mapping: Mapping, edit: int, by: Any) -> DraftEdit:
    """Take back the newest change, which must be the one that the person saw. Returns what was undone."""
    Mapping.objects.select_for_update().get(pk=mapping.pk)
    newest = DraftEdit.objects.filter(version__mapping=mapping, version__status="draft").first()
    if newest is None:
        raise ConfigError("There is nothing to undo.", where=mapping.slug)
    if newest.pk != edit:
        raise ChangedMeanwhile(
            f"{_who(newest, by)} changed the draft meanwhile: {newest.summary}.", fix="Look at it, then undo again."
        )
    newest.version.rules = newest.before
    newest.version.save(update_fields=["rules", "updated_at"])
    newest.delete()
    return newest


@governed.governs(lambda given: [("Mapping", given["mapping"].slug)])
@transaction.atomic
def publish(*, mapping: Mapping, errors: int, seen: str, by: Any, note: str = "") -> MappingVersion:
    """Make the draft the active version. `errors` counts the problems that block it, `seen` is its `rules_mark`."""
    Mapping.objects.select_for_update().get(pk=mapping.pk)
    draft = mapping.versions.filter(status=MappingVersion.Status.DRAFT).first()
    if draft is not None and seen != rules_mark(draft.rules):
        raise _changed(draft, "The draft", by)
    if errors:
        count = "A problem blocks" if errors == 1 else f"{errors} problems block"
        raise DraftBlocked(f"{count} this draft.", where=mapping.slug, fix="Solve what the list of problems names.")
    return activate_draft(mapping=mapping, by=by, note=note)


def forget_live_draft(*, objects: Sequence[tuple[str, str]], **_: Any) -> None:
    """A draft whose rules went live by a change request is done with."""
    slugs = [slug for kind, slug in objects if kind == "Mapping"]
    for mapping in Mapping.objects.filter(slug__in=slugs):
        versions = {version.status: version for version in mapping.versions.filter(status__in=("active", "draft"))}
        if len(versions) == 2 and versions["active"].rules == versions["draft"].rules:
            versions["draft"].delete()


# ---------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def _change(
    mapping: Mapping,
    change: Callable[[tuple[FieldRule, ...], MappingVersion], Sequence[FieldRule]],
    words: str,
    by: Any,
) -> MappingVersion:
    """Apply a change to the draft (made when there is none) under a lock, and log it; no change, no log."""
    draft = edit_draft(mapping=mapping, by=by)
    before = parse_rules(draft.rules)
    rules = dump_rules(parse_rules(dump_rules(change(before, draft))))
    if rules == draft.rules:
        return draft
    changed = differences(before, parse_rules(rules))
    text = words if len(changed) == 1 else f"{words}: {summary(changed)}".rstrip(".")
    DraftEdit.objects.create(
        version=draft, before=draft.rules, targets=[each.field for each in changed], summary=text[:300], made_by=by
    )
    draft.rules = rules
    draft.save(update_fields=["rules", "updated_at"])
    _forget_old_edits(draft)
    return draft


def _forget_old_edits(draft: MappingVersion) -> None:
    kept = draft.edits.order_by("-pk").values_list("pk", flat=True)[:UNDO_STEPS]
    draft.edits.exclude(pk__in=list(kept)).delete()


def _inserted(rules: Sequence[FieldRule], rule: FieldRule, order: Sequence[str]) -> list[FieldRule]:
    """The rules with one more, before the first that stands later in the target."""
    places = {path: place for place, path in enumerate(order)}
    own = places.get(rule.target, len(places))
    at = next((n for n, each in enumerate(rules) if places.get(each.target, len(places)) > own), len(rules))
    return [*rules[:at], rule, *rules[at:]]


def _check_seen(rules: Sequence[FieldRule], draft: MappingVersion, target: str, seen: str, by: Any) -> None:
    present = next((each for each in rules if each.target == target), None)
    if seen != row_mark(present):
        raise _changed(draft, target, by, target=target)


def _changed(draft: MappingVersion, what: str, by: Any, target: str = "") -> ChangedMeanwhile:
    edits = draft.edits.select_related("made_by")
    newest = (edits.filter(targets__contains=[target]) if target else edits).first()
    return ChangedMeanwhile(
        f"{what} was changed by {_who(newest, by)} meanwhile.",
        fix="Nothing was saved: reload, look at it, and change it again.",
    )


def _who(edit: DraftEdit | None, by: Any) -> str:
    if edit is None or edit.made_by is None:
        return "somebody"
    return "you, in another window," if by is not None and edit.made_by_id == by.pk else str(edit.made_by)
