"""Every benchmark works in a checkout that has only its environment, and judges what it did, not how fast it was."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from hub.cli.paths import ROOT


@pytest.mark.parametrize(
    ("what", "records", "shown"),
    [
        ("sync", 2_000, {"records_per_s", "handwritten_per_s", "bare_per_s", "ratio", "peak_mib", "stages"}),
        ("deliver", 2_000, {"records_per_s", "handwritten_per_s", "one_by_one_per_s", "bare_per_s", "ratio"}),
        ("event", 40, {"latency_ms", "acknowledged_ms", "burst_delivered_per_s"}),
        ("audit", 4_000, {"verify_seconds", "seal_per_s", "ratio_to_hashing_alone", "touched", "named"}),
        ("arbitrate", 200, {"decisions", "seconds", "decisions_per_s"}),
        ("reconcile", 20_000, {"keys", "seconds", "peak_mib", "cpu_seconds", "stages"}),
        ("gateway", 2_000, {"reads", "rate_per_s", "refused"}),
        ("ledger", 20_000, {"insert_per_s", "copy_per_s", "ratio", "sql_ms", "growth"}),
    ],
)
def test_a_benchmark_says_what_it_measured_and_passes_only_with_everything_where_it_belongs(
    what: str, records: int, shown: set[str]
) -> None:
    command = [sys.executable, "manage.py", "bench", what, "--records", str(records), "--json"]
    command += ["--rate", "20", "--seconds", "2"] if what == "gateway" else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["passed"] is True
    assert found.get("records", found.get("keys")) == records
    assert shown <= found.keys()


@pytest.mark.parametrize("protocol", ["rest", "odata", "soap", "sql", "files"])
def test_reading_through_a_connector_is_held_against_the_bare_client(protocol: str) -> None:
    found = extracted(protocol)
    assert {"records_per_s", "bare_per_s", "ratio"} <= found.keys()
    assert (found["passed"], found["records"], found["protocol"]) == (True, 1_500, protocol)


def test_every_page_of_a_firm_of_months_answers_whatever_its_tables_hold() -> None:
    """How fast is not asked of a machine that runs a suite."""
    command = [sys.executable, "manage.py", "bench", "pages", "--transactions", "4000", "--exceptions", "400"]
    done = subprocess.run([*command, "--repeats", "1", "--json"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    pages = json.loads(done.stdout)["pages"]
    assert len(pages) > 100
    assert [page for page in pages if page.get("problem")] == []


def extracted(protocol: str) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "bench", "extract", "--protocol", protocol, "--records", "1500", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
