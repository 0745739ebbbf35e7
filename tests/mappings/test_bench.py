"""The benchmark compares like with like."""

from __future__ import annotations

from mappings.bench import measure


def test_compiled_and_hand_written_mapping_give_the_same_twenty_fields() -> None:
    result = measure(300, rounds=1)
    assert result["differs"] == []
    assert result["fields"] == 20
    assert result["ratio"] > 0
