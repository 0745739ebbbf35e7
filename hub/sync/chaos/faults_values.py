"""Values that programs like to spoil: amounts at the ends of their range, and every kind of text and id."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hub.sync.chaos.fault import Options
from hub.sync.chaos.scenarios import Scenario, Told
from hub.sync.chaos.source_world import Row, opened

AMOUNTS = (
    "0.01",
    "-12.50",
    "0.00",
    "999999999999999.99",
    "-999999999999999.99",
    "0.10",
    "0.20",
    "0.30",
    "1234567890.123",
)
# Ids beyond 2^53, with leading zeros, in two normal forms of one letter, from right to left, beyond the basic plane, …
TEXTS = (
    "9007199254740993", "00042", "42", "é", "e\u0301", "שלום", "‏קוד‎", "🧾🇬🇧", "𝔘𝔫𝔦", "ﬁ", "İ", "ı", "ß", "SS",
    "a\u200bb", "ab", "a b", "a\u00a0b", "x'y\"z", "a\\b", "a\tb", "a|b", "a,b;c", "%41", "${key}", "<b>", "-1", "=1+1",
)  # fmt: skip


def decimals(options: Options, told: Told) -> None:
    """Amounts at the ends of what a ledger holds, and many small ones: each arrives as it was, and so do the sums."""
    pick = random.Random(options.seed)
    drawn = [_cents(pick.randrange(-(10**17), 10**17)) for _ in range(options.records)]
    _pass_through(options, told, [{"amount": amount} for amount in (*AMOUNTS, *drawn)])


def _cents(number: int) -> str:
    return f"{'-' if number < 0 else ''}{abs(number) // 100}.{abs(number) % 100:02d}"


def texts(options: Options, told: Told) -> None:
    """Ids and numbers of every script, and those that look alike: each is a record of its own and arrives as it was."""
    pick = random.Random(options.seed)
    drawn = {
        *TEXTS,
        *("".join(chr(_letter(pick)) for _ in range(pick.randrange(1, 12))) for _ in range(options.records)),
    }
    _pass_through(options, told, [{"id": text, "number": text} for text in sorted(drawn) if text.strip()])


def _letter(pick: random.Random) -> int:
    """Any character of Unicode but control characters and halves of pairs."""
    number = pick.choice((pick.randrange(0x20, 0x7F), pick.randrange(0xA0, 0xD800), pick.randrange(0xE000, 0x110000)))
    return number if number & 0xFFFE != 0xFFFE else 0x20


def _pass_through(options: Options, told: Told, changes: Sequence[Row]) -> None:
    with opened(options.seed, page_size=100) as there:
        rows = [
            {"id": str(n), "number": f"TE-{n}", "amount": "1.00", "currency": "EUR", **change}
            for n, change in enumerate(changes)
        ]
        there.tell("put", rows)
        run = there.read()
        told.fired["values"] += len(rows)
        verdict = there.judge()
        told.expect("run", run.error or str(run.status), "succeeded")
        told.expect("spoiled or missing", sorted(there.missing())[:10], [])
        told.expect("duplicated", verdict.duplicated)
        told.expect("sum difference", verdict.sum_difference, "0.00")


SCENARIOS = (
    Scenario("F29", "Amounts of every size and sign", decimals),
    Scenario("F30", "Ids and texts of every script, and alike ones", texts),
)
