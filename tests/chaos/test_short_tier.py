"""The short tier: real workers are killed, a real broker forgets, a real target loses answers; the target is the oracle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from hub.cli.paths import ROOT


def chaos(*arguments: str) -> dict[str, Any]:
    """With services of its own: the broker is to be emptied, and no other worker may take part."""
    command = [sys.executable, str(ROOT / "manage.py"), "chaos", *arguments, "--json"]
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "HUB_DATA")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=400)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found.get("passed", True) else 1)
    return found


@pytest.mark.parametrize("safety", ["B", "C"])
def test_killed_workers_lose_nothing_and_double_nothing(safety: str) -> None:
    found = chaos("F1", "--records", "600", "--kills", "5", "--seed", "3", "--class", safety)
    assert found["passed"], json.dumps(found)
    assert found["fired"] == 5
    assert sum(found["target_faults"].values()) > 0
    assert (found["lost"], found["duplicated"], found["sum_difference"], found["unsure"]) == (0, 0, "0.00", 0)


def test_a_broker_that_forgets_everything_only_delays() -> None:
    """How soon is judged by `make chaos`, on a machine that does nothing else."""
    found = chaos("F3", "--records", "600", "--kills", "5", "--seed", "4", "--class", "B", "--within", "90")
    assert found["passed"], json.dumps(found)
    assert (found["fired"], found["failed_runs"]) == (5, 0)


def test_every_doubt_at_a_target_that_cannot_be_asked_is_given_to_a_person() -> None:
    found = chaos("F8", "--records", "400", "--seed", "5", "--class", "D")
    assert found["passed"], json.dumps(found)
    assert found["unsure"] > 0
    assert found["duplicated"] == 0


def test_a_database_that_dies_or_loses_the_answer_to_a_commit_only_delays() -> None:
    """Leases are as long as in production: nothing may wait for the end of one."""
    found = chaos("F6", "--records", "200", "--kills", "2", "--seed", "6", "--class", "B", "--within", "90")
    assert found["passed"], json.dumps(found)
    assert (found["fired"], found["lost"], found["duplicated"], found["failed_runs"]) == (2, 0, 0, 0)


def test_deadlocks_and_locks_that_are_not_given_fail_no_run() -> None:
    found = chaos("F7", "--records", "200", "--kills", "4", "--seed", "7", "--class", "B")
    assert found["passed"], json.dumps(found)
    assert found["failed_runs"] == 0
    assert found["deadlocks"] > 0


def test_no_error_that_comes_as_a_success_counts_as_delivered() -> None:
    found = chaos("F12", "--records", "200", "--seed", "8", "--class", "C")
    assert found["passed"], json.dumps(found)
    assert len(found["target_faults"]) > 5
    assert (found["lost"], found["duplicated"], found["broken"]) == (0, 0, [])


def test_a_fault_that_cannot_be_carried_out_here_does_not_pass() -> None:
    """The services are those of this test run, not the command's own."""
    command = [sys.executable, str(ROOT / "manage.py"), "chaos", "F6", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, timeout=600)
    found = json.loads(done.stdout)
    assert (done.returncode, found["passed"], found["fired"]) == (1, False, 0)
    assert found["reason"].startswith("not run: ")
