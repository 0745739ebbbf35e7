"""Planted bugs: one safety mechanism at a time is taken out of a copy of the program, and its detector must turn red.

A suite that cannot find a bug that somebody put there proves nothing. Each mutant names the lines that it changes and the
tests that have to notice. The checkout itself is never touched, and a detector that is red without its bug counts as broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.cli.paths import ROOT
from hub.common.errors import ConfigError

DETECTOR_SECONDS = 90
LEFT_OUT = (".git", ".venv", ".peers", ".cache", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis")
SYNC, SQL = "tests/sync", "tests/connectors/sql/test_sql.py"


@dataclass(frozen=True)
class Mutant:
    """A bug: `old` of `file` becomes `new`; `detector` names the tests that must fail then."""

    name: str
    file: str
    old: str
    new: str
    detector: str


MUTANTS = (
    Mutant(
        "epoch check",
        "hub/sync/runs.py",
        " where id = %(id)s and epoch = %(epoch)s and status = 'running' returning id",
        " where id = %(id)s and status = 'running' returning id",
        f"{SYNC}/test_outbound.py::test_a_worker_that_lost_its_lease_writes_nothing",
    ),
    Mutant(
        "lease fence",
        "hub/sync/runs.py",
        " and (lease_until is null or lease_until < now())",
        "",
        f"{SYNC}/test_sweeper.py::test_a_run_whose_worker_died_is_taken_over_where_it_stood",
    ),
    Mutant(
        "settling time",
        "hub/sync/outbound.py",
        'return self.settle_seconds if safety == "C" else None',
        'return 0.0 if safety == "C" else None',
        f"{SYNC}/test_doubt.py::test_a_target_that_may_still_be_at_work_is_neither_asked_nor_sent_to",
    ),
    Mutant(
        "intent before the call",
        "hub/sync/outbound.py",
        "sent_ids=[p.due.record_id for p in sending],",
        "sent_ids=[],",
        f"{SYNC}/test_doubt.py::test_a_worker_that_was_killed_while_it_called_leaves_doubt_only_where_sending_again_could_double",
    ),
    Mutant(
        "outcome rule",
        "hub/sync/outbound.py",
        'if answer.status in ("created", "updated", "unchanged") and answer.ref:',
        'if answer.status in ("created", "updated", "unchanged"):',
        f"{SYNC}/test_outbound.py::test_success_without_a_reference_is_no_success",
    ),
    Mutant(
        "unique index",
        "hub/records/migrations/0001_initial.py",
        "fields=('entity', 'key'), name='canonical_key_once'",
        "fields=('entity', 'key', 'id'), name='canonical_key_once'",
        "tests/chaos/test_detectors.py::test_a_business_key_exists_once_however_many_write_it",
    ),
    Mutant(
        "overlap",
        "connectors/cursors.py",
        "moved = form.back(cursor, overlap_seconds)",
        "moved = form.back(cursor, 0)",
        "tests/connectors/rest/test_reading.py::test_the_cursor_is_sent_as_declared",
    ),
    Mutant(
        "dedupe of a page",
        "hub/sync/prepare.py",
        "        if found in items:\n            page.repeated += 1\n        items[found] = ",
        "        items[f'{found}#{position}'] = ",
        f"{SYNC}/test_inbound.py::test_the_same_record_twice_in_a_page_counts_once",
    ),
    Mutant(
        "dedupe of messages",
        "hub/webhooks/receiving.py",
        " on conflict (endpoint_id, message_id) do nothing returning id",
        " on conflict (endpoint_id, message_id) do update set state = excluded.state returning id",
        "tests/webhooks/test_receiving.py::test_a_known_message_is_acknowledged_without_a_second_effect",
    ),
    Mutant(
        "poison counter",
        "hub/sync/runs.py",
        "if run.claims > MAX_CLAIMS:",
        "if run.claims > 1_000:",
        f"{SYNC}/test_sweeper.py::test_a_run_that_only_ever_crashes_is_given_up_with_a_sentence",
    ),
    Mutant(
        "echo guard",
        "hub/sync/outbound.py",
        "return {said_by[name] for name in plan.echoing if name in said_by} == {plan.connection.system_id}",
        "return False",
        f"{SYNC}/test_outbound.py::TestATargetThatIsReadToo::test_it_is_not_told_what_it_said_itself",
    ),
    Mutant(
        "decimal parser",
        "connectors/exact_json.py",
        "parse_float=exact_float",
        "parse_float=float",
        "tests/connectors/rest/test_reading.py::test_no_number_loses_a_digit",
    ),
    Mutant(
        "commit before the answer",
        "hub/webhooks/receiving.py",
        "is_new, is_busy = _store(endpoint, message_id, proof, incoming, is_test=is_test)",
        "is_new, is_busy = True, False",
        "tests/webhooks/test_receiving.py::test_a_genuine_message_is_stored_then_acknowledged_then_rings_for_a_run",
    ),
    Mutant(
        "known at the target",
        "hub/sync/outbound.py",
        "parcel.ref = parcel.ref or refs.get(parcel.due.record_id)",
        "parcel.ref = parcel.ref",
        f"{SYNC}/test_outbound.py::TestATargetThatIsReadToo::test_what_it_showed_is_updated_there_by_its_own_id",
    ),
    Mutant(
        "ties between pages",
        "connectors/sql/reading.py",
        '_after([cursor, *keys], [last["cursor"], *last["key"]])',
        '_after([cursor], [last["cursor"]])',
        f"{SQL}::test_rows_that_share_a_change_time_are_not_lost_between_pages",
    ),
    Mutant(
        "inclusive cursor",
        "connectors/sql/reading.py",
        "query = query.where(cursor >= cast",
        "query = query.where(cursor > cast",
        f"{SQL}::test_the_next_reading_begins_with_the_stored_value_inclusive",
    ),
    Mutant(
        "repeated hour",
        "connectors/cursors.py",
        "hours=1 if repeated else 0",
        "hours=0",
        "tests/chaos/test_cursors.py::test_the_repeated_hour_is_read_again_even_without_an_overlap",
    ),
    Mutant(
        "cursor of pages without order",
        "hub/sync/inbound.py",
        "if page.ordered and not self.is_full:",
        "if not self.is_full:",
        "tests/chaos/test_detectors.py::test_a_crawl_without_order_that_is_given_up_leaves_the_cursor_where_it_was",
    ),
)


def plant_all(names: Sequence[str] = (), *, say: Any = lambda text: None) -> dict[str, Any]:
    """Plant each bug (or those named) in a copy; {"planted", "found", "mutants": [{"name", "detector", "red", …}]}."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        raise ConfigError(f"There is no mutant {', '.join(sorted(unknown))}.", fix="See `chaos list`.")
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    found = []
    with _copy() as folder:
        sound = _sound_detectors(folder, chosen)
        for mutant in chosen:
            found.append(_plant(folder, mutant, is_sound=sound))
            say(
                f"{mutant.name}: {'red' if found[-1]['red'] else 'NOT FOUND'} {found[-1]['reason']}{found[-1]['said']}".rstrip()
            )
    red = sum(one["red"] for one in found)
    return {"planted": len(found), "found": red, "passed": red == len(found), "mutants": found}


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="syncline-mutants-") as parent:
        folder = Path(parent) / "program"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield folder


def _sound_detectors(folder: Path, mutants: Sequence[Mutant]) -> bool:
    """All detectors are green while no bug is planted; one run, since they share their services."""
    return _test(folder, *(mutant.detector for mutant in mutants))[0] == 0


def _plant(folder: Path, mutant: Mutant, *, is_sound: bool) -> dict[str, Any]:
    """Red only counts when the tests ran and failed (exit code 1); `said` is what failed, in the test's own words."""
    path = folder / mutant.file
    text = path.read_text()
    result = {"name": mutant.name, "detector": mutant.detector, "red": False, "reason": "", "said": ""}
    if not is_sound:
        return {**result, "reason": "A detector is red without any bug."}
    if text.count(mutant.old) != 1:
        return {**result, "reason": f"The lines to change stand {text.count(mutant.old)} times in {mutant.file}."}
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        code, said = _test(folder, mutant.detector)
    finally:
        path.write_text(text)
    reason = "" if code == 1 else f"The detector ended with {code}."
    return {**result, "red": code == 1, "reason": reason, "said": said}


def _test(folder: Path, *arguments: str) -> tuple[int, str]:
    """(pytest's exit code, the first line about what failed); it starts services of its own."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--durations=0", "-p", "no:cacheprovider", *arguments]
    env = clean_environment()
    try:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=DETECTOR_SECONDS)
    except subprocess.TimeoutExpired:
        return -1, ""
    return done.returncode, next((line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E ")), "")


def clean_environment() -> dict[str, str]:
    """Our environment without what would lead tests to our own services."""
    hidden = ("DATABASE_URL", "REDIS_URL", "HUB_DATA", "HUB_DB_ROLE", "DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if name not in hidden}
