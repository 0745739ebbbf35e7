"""Which records are compared at all: those that share a block, because all with all would be millions of comparisons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from governance.matching.definition import Definition
from governance.matching.scoring import Sheet

# A value that so many share tells nobody apart ("consulting", "n/a"): its block is left out.
MAX_PAIRS = 2_500
SHORT_WORD, EDGE = 3, 5

Pair = tuple[int, int]


@dataclass(slots=True)
class Blocked:
    """Pairs to compare; `crowded` counts values that too many records share."""

    pairs: set[Pair] = field(default_factory=set)
    crowded: int = 0


def across(left: Sequence[Sheet], right: Sequence[Sheet], rules: Definition) -> Blocked:
    """Pairs (left id, right id)."""
    one, other = _blocks(left, rules), _blocks(right, rules)
    found = Blocked()
    for name in one.keys() & other.keys():
        if len(one[name]) * len(other[name]) > MAX_PAIRS:
            found.crowded += 1
        else:
            found.pairs.update((a, b) for a in one[name] for b in other[name])
    return found


def within(sheets: Sequence[Sheet], rules: Definition) -> Blocked:
    """Pairs (lower id, higher id) of one side."""
    found = Blocked()
    for ids in _blocks(sheets, rules).values():
        if len(ids) * len(ids) > MAX_PAIRS:
            found.crowded += 1
        else:
            found.pairs.update((a, b) for a in ids for b in ids if a < b)
    return found


def _blocks(sheets: Iterable[Sheet], rules: Definition) -> dict[tuple[int, str], list[int]]:
    blocks: dict[tuple[int, str], list[int]] = defaultdict(list)
    for sheet in sheets:
        for position, (rule, value) in enumerate(zip(rules.fields, sheet.values, strict=True)):
            for name in {value} if rule.compare == "exact" else set(parts(value)):
                if name:
                    blocks[position, name].append(sheet.id)
    return blocks


def parts(value: str) -> Iterator[str]:
    """Parts of a text that survive a slip of the pen elsewhere in it."""
    words, solid = value.split(), value.replace(" ", "")
    yield from (word for word in words if len(word) >= SHORT_WORD)
    yield f"<{solid[:EDGE]}"
    yield f"{solid[-EDGE:]}>"
    yield f"#{' '.join(word[:2] for word in words)}"
