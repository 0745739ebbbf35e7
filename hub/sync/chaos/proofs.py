"""Faults that a test of the suite already proves: the catalogue names it, and `chaos` runs exactly that one.

What is proved twice is proved in two ways that drift apart. A line whose tests did not run, or were skipped, has not passed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from hub.cli.paths import ROOT
from hub.sync.chaos.mutants import clean_environment

SECONDS = 900
_COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")


@dataclass(frozen=True)
class Proof:
    """One line of the catalogue; `tests` as pytest takes them."""

    name: str
    title: str
    tests: tuple[str, ...]


RECEIVING, VERSIONS, FILES = (
    "tests/webhooks/test_receiving.py",
    "tests/webhooks/test_versions.py",
    "tests/connectors/files/test_files.py",
)
PROOFS = {
    proof.name: proof
    for proof in (
        Proof("F16", "Cursors of every precision, without zone, in a repeated hour", ("tests/chaos/test_cursors.py",)),
        Proof(
            "F17",
            "Webhooks are sent again, by many at once",
            (
                f"{RECEIVING}::test_repetitions_by_eight_threads_are_one_effect_each",
                f"{RECEIVING}::test_a_known_message_is_acknowledged_without_a_second_effect",
            ),
        ),
        Proof(
            "F18", "Messages come in any order, a deletion before what it deletes", ("tests/webhooks/test_order.py",)
        ),
        Proof(
            "F19",
            "Messages are forged, stale, replayed, or signed with a foreign secret",
            (
                f"{RECEIVING}::test_forged_stale_and_foreign_messages_are_refused_without_a_row",
                f"{RECEIVING}::test_a_changed_body_is_refused",
                f"{RECEIVING}::test_a_replayed_message_has_no_effect_inside_the_window_and_is_refused_after_it",
                f"{RECEIVING}::test_a_rotation_loses_no_message_and_ends_with_one_secret",
                f"{RECEIVING}::test_a_refusal_is_one_fact_and_one_line_without_the_body",
                f"{VERSIONS}::test_one_changed_bit_anywhere_in_the_body_is_refused",
                f"{VERSIONS}::test_another_secret_is_refused_and_each_of_two_live_ones_is_taken",
            ),
        ),
        Proof("F28", "Clocks go forward and back in every zone", ("tests/chaos/test_clock_changes.py",)),
        Proof(
            "F35",
            "A file is half written, renamed, or comes again with other content",
            (
                f"{FILES}::test_a_file_that_grows_while_it_is_read_is_left_for_later",
                f"{FILES}::test_a_file_that_was_just_changed_must_settle",
                f"{FILES}::test_a_name_that_says_unfinished_is_left_alone",
                f"{FILES}::test_a_file_with_new_content_under_its_old_name_is_read",
                f"{FILES}::test_a_file_that_is_only_touched_is_not_read_again",
                f"{FILES}::test_nothing_is_read_when_the_control_file_disagrees",
                f"{FILES}::test_sftp_reads_writes_and_goes_on_after_a_broken_connection",
            ),
        ),
        Proof("model", "Any story of a source, a target and crashing workers", ("tests/chaos/test_model.py",)),
    )
}


def run(proof: Proof) -> dict[str, Any]:
    """Run the tests of a line; {"fired": tests that ran, "passed", "reason", …}."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *proof.tests]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=SECONDS)
    counts = {word: int(number) for number, word in _COUNT.findall(done.stdout.rpartition("\n\n")[2] or done.stdout)}
    ran, skipped = counts.get("passed", 0) + counts.get("failed", 0), counts.get("skipped", 0)
    reason = "" if done.returncode == 0 else f"The tests ended with {done.returncode}."
    if not ran or skipped:
        reason = reason or f"not run: {skipped or 'all'} of the tests were skipped."
    return {
        "fault": proof.name,
        "tests": list(proof.tests),
        "fired": ran,
        "seconds": round(time.monotonic() - started, 1),
        "passed": not reason,
        "reason": reason,
    }
