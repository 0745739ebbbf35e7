"""Every rule that a ruleset may use. Pure: a rule looks at a schema and says in one sentence what it lacks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.schemas import CLASSIFICATIONS, Field, Schema, fields_of
from hub.common.json_schemas import validator

Rule = Mapping[str, Any]
# Fields whose name says that they are about a person.
_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|birth|gender|salary|wage|home|private|passport|iban|first_name|last_name|full_name"
    r"|national_id|ssn|tax_id|nationality|religion|emergency)",
)
SEVERITIES = ("error", "warning")


@dataclass(frozen=True, slots=True)
class Check:
    """A rule's name, what it wants in words, and the sentence for a schema that fails it; empty when it passes.

    `needs` are the parameters that it takes: name → what is wrong with a value, as a sentence, or nothing.
    """

    name: str
    title: str
    fails: Callable[[Schema, Rule], str]
    needs: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


def _keyword(word: str, what: str) -> Callable[[Schema, Rule], str]:
    return lambda schema, rule: "" if schema.get(word) else f"The contract {what}."


def _key(schema: Schema, rule: Rule) -> str:
    return "" if any(field_.is_key for field_ in fields_of(schema)) else "The contract has no key field."


def _marked(schema: Schema, rule: Rule) -> str:
    marker = rule["marker"]
    return "" if any(f.spec.get(marker) for f in fields_of(schema)) else f"No field is marked `{marker}`."


def _named_field(schema: Schema, rule: Rule) -> str:
    return "" if rule["field"] in (schema.get("properties") or {}) else f"There is no field `{rule['field']}`."


def _described(schema: Schema, rule: Rule) -> str:
    return _of_fields((f for f in fields_of(schema) if not f.description), "has no description", "have no description")


def _classified(schema: Schema, rule: Rule) -> str:
    found = (f for f in fields_of(schema) if "x-classification" not in f.spec)
    return _of_fields(found, "has no classification", "have no classification")


def _names(schema: Schema, rule: Rule) -> str:
    is_right = validator({"pattern": rule["pattern"]}).is_valid
    found = (f for f in fields_of(schema) if not is_right(f.name))
    return _of_fields(found, f"is not named as {rule['pattern']} asks", f"are not named as {rule['pattern']} asks")


def _measured(schema: Schema, rule: Rule) -> str:
    found = (
        f for f in fields_of(schema) if f.type == "decimal" and not (f.spec.get("x-money") or f.spec.get("x-unit"))
    )
    return _of_fields(found, "says neither its currency nor its unit", "say neither their currency nor their unit")


def _personal(schema: Schema, rule: Rule) -> str:
    least = CLASSIFICATIONS.index(rule.get("at_least", "confidential"))
    found = (f for f in fields_of(schema) if _is_personal(f) and CLASSIFICATIONS.index(f.classification) < least)
    word = CLASSIFICATIONS[least]
    return _of_fields(found, f"is about a person and less than {word}", f"are about a person and less than {word}")


def _is_personal(field_: Field) -> bool:
    return bool(field_.spec.get("x-personal")) or field_.type == "email" or bool(_PERSONAL.search(field_.name))


def _of_fields(found: Iterable[Field], one: str, many: str, most: int = 4) -> str:
    """ "amount, rate and 3 more have no description." """
    names = [field_.name for field_ in found]
    if not names:
        return ""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more} {one if len(names) == 1 else many}."


# What parameters may be ----------------------------------------------------------------------------------------
def _is_marker(value: Any) -> str:
    return "" if isinstance(value, str) and value.startswith("x-") else "Write a marker, such as x-money."


def _is_text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "Write a name."


def _is_pattern(value: Any) -> str:
    try:
        validator({"pattern": value})
    except (ValueError, TypeError):
        return "This is no pattern. Example: ^[a-z][a-z0-9_]*$."
    return "" if isinstance(value, str) else "A pattern is a text."


def _is_class(value: Any) -> str:
    return "" if value in CLASSIFICATIONS else f"Use one of: {', '.join(CLASSIFICATIONS)}."


CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check("has_owner", "Names its owner", _keyword("x-owner", "names no owner")),
        Check("has_service_level", "States a service level", _keyword("x-sla", "states no service level")),
        Check("has_tags", "Carries tags", _keyword("x-tags", "carries no tags")),
        Check("has_description", "Says what its records are", _keyword("description", "does not say what its records are")),
        Check("has_key", "Has a key", _key),
        Check("has_marked_field", "Has a field with a marker", _marked, {"marker": _is_marker}),
        Check("has_field", "Has a field of a name", _named_field, {"field": _is_text}),
        Check("fields_described", "Every field is described", _described),
        Check("fields_classified", "Every field is classified", _classified),
        Check("fields_named", "Fields are named by a pattern", _names, {"pattern": _is_pattern}),
        Check("decimals_measured", "Every decimal says its currency or unit", _measured),
        Check(
            "personal_data_classified", "Data about persons is classified", _personal,
            {"at_least": _is_class}, frozenset({"at_least"}),
        ),
    )
}  # fmt: skip


def words(rule: Rule) -> str:
    """A rule for people: "Has a field with a marker: x-money"."""
    check = CHECKS.get(str(rule.get("rule")))
    given = [str(rule[name]) for name in check.needs if name in rule] if check else []
    return (check.title if check else str(rule.get("rule"))) + (f": {', '.join(given)}" if given else "")


def problems(rule: Any) -> list[tuple[str, str]]:
    """(parameter, sentence) for everything that is wrong with a rule as it is written."""
    if not isinstance(rule, dict):
        return [("", "A rule is a mapping, such as {rule: has_owner, severity: error}.")]
    check = CHECKS.get(str(rule.get("rule")))
    if check is None:
        return [("rule", f"There is no rule {rule.get('rule')!r}. Known: {', '.join(CHECKS)}.")]
    found = []
    if rule.get("severity", "error") not in SEVERITIES:
        found.append(("severity", f"Use one of: {', '.join(SEVERITIES)}."))
    found += [(name, f"The rule {check.name} takes no {name!r}.") for name in rule if name not in _known(check)]
    for name, wrong in check.needs.items():
        if name not in rule and name not in check.optional:
            found.append((name, f"The rule {check.name} needs {name!r}."))
        elif name in rule and (sentence := wrong(rule[name])):
            found.append((name, sentence))
    return found


def _known(check: Check) -> set[str]:
    return {"rule", "severity", *check.needs}
