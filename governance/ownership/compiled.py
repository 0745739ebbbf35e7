"""Rules compiled for one system on one day: what the engine asks for each field of each record. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from governance.ownership.rules import LATEST, OWNER, RANKING, Conditions, Rule, levels, text_of

Body = Mapping[str, Any]
EMPTY: tuple[Any, ...] = (None, "", [], {})
# Of a system that no ranking names: less trusted than all that are.
UNRANKED = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says to one system. `ways` is "free", "closed", "ranked" or "latest"."""

    rule: str
    policy: str
    ways: str
    fills_empty: bool = False
    rank: int = UNRANKED
    ranks: Mapping[int, int] = field(default_factory=dict)

    def lets_in(self, held: Any, holder: int | None, told_at: str, held_at: str) -> bool:
        """Whether the system may replace `held`, which `holder` supplied."""
        if self.ways == "free" or (held in EMPTY and (self.fills_empty or self.rank < UNRANKED)):
            return True
        if self.ways == "ranked":
            return self.rank <= self.ranks.get(holder or 0, UNRANKED) and self.rank < UNRANKED
        return self.ways == "latest" and not (told_at and held_at and _is_before(told_at, held_at))


@dataclass(frozen=True, slots=True)
class Lens:
    """All that the rules say to one system. Fields of neither mapping are open to it.

    `plain` holds fields with one verdict for every record, `cases` those where it depends on the record.
    """

    plain: Mapping[str, Verdict] = field(default_factory=dict)
    cases: Mapping[str, tuple[tuple[Conditions, Verdict], ...]] = field(default_factory=dict)
    updated_at_field: str = ""
    condition_fields: frozenset[str] = frozenset()
    digest: bytes = b""

    def verdict(self, name: str, current: Body, incoming: Body) -> Verdict | None:
        """The verdict for a field of this record; None where no rule speaks for it.

        Conditions are read from what the hub holds, and from the source where it holds nothing yet.
        """
        found = self.plain.get(name)
        if found is not None or name not in self.cases:
            return found
        for conditions, verdict in self.cases[name]:
            if all(_state(one, current, incoming) in values for one, values in conditions):
                return verdict
        return None


def _state(name: str, current: Body, incoming: Body) -> str:
    held = current.get(name)
    return text_of(incoming.get(name) if held in EMPTY else held)


def _is_before(one: str, other: str) -> bool:
    """Instants as the hub prints them; a fraction of a second stands before the Z."""
    return one.rstrip("Z") < other.rstrip("Z")


def compile_rules(
    rules: Iterable[Rule],
    *,
    system: str,
    system_ids: Mapping[str, int],
    fields: Collection[str],
    today: date,
    key: Collection[str] = (),
    updated_at_field: str = "",
) -> Lens | None:
    """What rules in force today say to `system`; None where there are no rules. Key fields are never arbitrated."""
    known = list(rules)
    if not known:
        return None
    live = [rule for rule in known if rule.is_in_force(today)]
    plain: dict[str, Verdict] = {}
    cases: dict[str, tuple[tuple[Conditions, Verdict], ...]] = {}
    for name in fields:
        if name in key:
            continue
        order = [rule for level in levels(live, name) for rule in level]
        verdicts = [(rule.conditions, _verdict(rule, system, system_ids)) for rule in order]
        if verdicts and not verdicts[0][0]:
            plain[name] = verdicts[0][1]
        elif verdicts:
            cases[name] = tuple(verdicts)
    named = frozenset(name for rule in known for name, _ in rule.conditions)
    return Lens(plain, cases, updated_at_field, named, _digest(live))


def _verdict(rule: Rule, system: str, system_ids: Mapping[str, int]) -> Verdict:
    ranks = {system_ids[name]: place for place, name in enumerate(rule.systems) if name in system_ids}
    rank = rule.systems.index(system) if system in rule.systems else UNRANKED
    if rule.decide == OWNER:
        ways = "free" if system in rule.systems else "closed"
    elif rule.decide == RANKING:
        ways = "ranked"
    else:
        ways = LATEST if rank < UNRANKED or not rule.systems else "closed"
    return Verdict(rule.slug, rule.policy, ways, rule.fills_empty, rank, ranks)


def _digest(rules: Iterable[Rule]) -> bytes:
    """Another set of rules in force makes every record count as changed: what was refused may pass now."""
    text = "\n".join(sorted(_line(rule) for rule in rules))
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _line(rule: Rule) -> str:
    conditions = [(name, sorted(values)) for name, values in rule.conditions]
    return repr((rule.slug, rule.fields, rule.decide, rule.systems, rule.policy, rule.fills_empty, conditions))
