"""Every kind of change with what it breaks, how grave it is by default, and the safe way to make it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Direction = Literal["forward", "backward"]
BOTH: frozenset[Direction] = frozenset({"forward", "backward"})
FORWARD: frozenset[Direction] = frozenset({"forward"})
BACKWARD: frozenset[Direction] = frozenset({"backward"})
NOTHING: frozenset[Direction] = frozenset()


class Severity(StrEnum):
    INFO = "info"
    WARN = "warn"
    ERR = "err"

    @property
    def rank(self) -> int:
        return ("info", "warn", "err").index(self.value)


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the table. `owner` names a group that has to agree beside the field's own owners."""

    name: str
    title: str
    breaks: frozenset[Direction]
    severity: Severity
    advice: str = ""
    owner: str = ""


def _kind(
    name: str, title: str, breaks: frozenset[Direction], severity: Severity, advice: str = "", owner: str = ""
) -> tuple[str, Kind]:
    return name, Kind(name, title, breaks, severity, advice, owner)


_INFO, _WARN, _ERR = Severity.INFO, Severity.WARN, Severity.ERR
_UNTIL_MIGRATED = "Keep the field until every consumer has moved to the new version."
_NEW_FIELD = "Add a new field with the new meaning, and retire this one at its sunset."

KINDS: dict[str, Kind] = dict(
    (
        _kind("field_added", "Optional field added", NOTHING, _INFO),
        _kind(
            "required_field_added", "Required field added", BACKWARD, _ERR,
            "Add it as optional, or give it a default, and require it once every source sends it.",
        ),
        _kind(
            "required_field_with_default_added", "Required field with a default added", NOTHING, _WARN,
            "Check that the default is right for records that were made before.",
        ),
        _kind("field_removed", "Optional field removed", NOTHING, _WARN, _UNTIL_MIGRATED),
        _kind("required_field_removed", "Required field removed", FORWARD, _ERR, _UNTIL_MIGRATED),
        _kind(
            "field_renamed", "Field renamed", BOTH, _ERR,
            "Name the old field among `x-aliases` of the new one until every consumer has moved.",
        ),
        _kind("field_renamed_with_alias", "Field renamed, the old name still served", NOTHING, _WARN),
        _kind("made_optional", "Required field made optional", FORWARD, _ERR, "Send a value until consumers can do without."),
        _kind("made_required", "Optional field made required", BACKWARD, _WARN, "Records without it will be set aside."),
        _kind("made_nullable", "Field may now be empty", FORWARD, _ERR, "Leave the field out instead of sending null."),
        _kind("made_not_nullable", "Field may no longer be empty", BACKWARD, _WARN, "Records with null will be set aside."),
        _kind("type_changed", "Type changed", BOTH, _ERR, _NEW_FIELD),
        _kind("type_widened", "More types allowed", FORWARD, _WARN, "Check that consumers can read the added type."),
        _kind("type_narrowed", "Fewer types allowed", BACKWARD, _WARN, "Stored records of the dropped type will not pass."),
        _kind("limit_widened", "Limit widened", FORWARD, _WARN, "Check the limits of the systems that receive the field."),
        _kind("limit_narrowed", "Limit tightened", BACKWARD, _WARN, "Records beyond the new limit will be set aside."),
        _kind("constraint_added", "Constraint added", BACKWARD, _WARN, "Records that break it will be set aside."),
        _kind("constraint_removed", "Constraint removed", FORWARD, _WARN, "Check that consumers do not rely on it."),
        _kind("constraint_changed", "Constraint changed", BOTH, _ERR, "Widen it first, tighten it in a later version."),
        _kind(
            "value_added", "Allowed value added", FORWARD, _WARN, "Consumers that know every value need a case for this one."
        ),
        _kind("value_removed", "Allowed value removed", BACKWARD, _ERR, "Keep the value, deprecated, until no record has it."),
        _kind("values_introduced", "Values restricted to a list", BACKWARD, _WARN, "Other values will be set aside."),
        _kind("values_lifted", "List of values lifted", FORWARD, _WARN, "Consumers may meet values that they do not know."),
        _kind("key_changed", "Business key changed", BOTH, _ERR, "Make a new entity with the other key.", "finance"),
        _kind("reference_changed", "Reference to another entity changed", BOTH, _ERR, _NEW_FIELD),
        _kind("unit_changed", "Unit changed", BOTH, _ERR, _NEW_FIELD, "finance"),
        _kind("currency_changed", "Currency of an amount changed", BOTH, _ERR, _NEW_FIELD, "finance"),
        _kind("time_zone_changed", "Time zone changed", BOTH, _ERR, _NEW_FIELD),
        _kind("rounding_changed", "Rounding changed", BOTH, _ERR, _NEW_FIELD, "finance"),
        _kind("meaning_changed", "Meaning changed", BOTH, _ERR, _NEW_FIELD),
        _kind("role_changed", "Role in the hub changed", NOTHING, _WARN, "Pages, filters and reports follow the role."),
        _kind("classification_raised", "Classification raised", NOTHING, _WARN, "Fewer people will see it.", "security"),
        _kind("classification_lowered", "Classification lowered", NOTHING, _WARN, "More people will see it.", "security"),
        _kind("default_changed", "Default changed", NOTHING, _WARN, "Records that leave the field out will get the new value."),
        _kind("rule_added", "Rule across fields added", BACKWARD, _WARN, "Records that break it will be set aside."),
        _kind("rule_removed", "Rule across fields removed", FORWARD, _WARN, "Check that consumers do not rely on it."),
        _kind("rule_changed", "Rule across fields changed", BOTH, _ERR, "Add the new rule beside the old one first."),
        _kind("owner_changed", "Owner of the contract changed", NOTHING, _INFO),
        _kind(
            "service_level_loosened", "Service level loosened or dropped", NOTHING, _WARN,
            "Ask the consumers who plan with it.", "consumers",
        ),
        _kind("service_level_tightened", "Service level added or tightened", NOTHING, _INFO),
        _kind(
            "service_level_changed", "Service level changed", NOTHING, _WARN,
            "Ask the consumers who plan with it.", "consumers",
        ),
        _kind("opened", "Unknown fields are now allowed", NOTHING, _INFO),
        _kind("closed", "Unknown fields are no longer allowed", BACKWARD, _WARN, "Records with unknown fields will not pass."),
        _kind("text_changed", "Words for people changed", NOTHING, _INFO),
        _kind("order_changed", "Fields stand in another order", NOTHING, _INFO),
        _kind("annotation_changed", "Note changed", NOTHING, _INFO),
    )
)  # fmt: skip
