"""The simulators as a process of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.simulators.client import Controls, SimulatorProcess

from .conftest import erp_client, psa_client

TIME = {
    "externalReference": "TS-1", "employeeNumber": "000421", "jobNumber": "NLL-101", "date": "2026-11-20", "quantity": 7.25,
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def _gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def _until_gone(pid: int) -> bool:
    for _ in range(200):
        if _gone(pid):
            return True
        time.sleep(0.05)
    return False


def test_it_starts_tells_its_ports_and_stops(tmp_path: Path) -> None:
    ports_file = tmp_path / "ports.json"
    with SimulatorProcess("--profile", "tiny", "--today", "2026-11-24", "--ports-file", str(ports_file)) as running:
        assert json.loads(ports_file.read_text()) == running.ports
        assert Controls.from_file(ports_file).psa.health()["today"] == "2026-11-24"
        assert set(running.ports) == {"crm", "psa", "hris", "erp"}
    assert running.process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_needs_little_memory() -> None:
    with SimulatorProcess() as running:
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 60 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal")
def test_it_dies_with_the_process_that_started_it() -> None:
    script = (
        "from connectors.simulators.client import SimulatorProcess; import os, sys;"
        "running = SimulatorProcess('--profile', 'tiny'); print(running.process.pid, flush=True); os._exit(9)"
    )
    parent = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert parent.returncode == 9
    assert _until_gone(int(parent.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal")
def test_it_ends_at_once_when_its_parent_is_gone_already() -> None:
    command = [sys.executable, "-m", "connectors.simulators.server", "--profile", "tiny", "--parent-pid", "1"]
    assert os.getpid() != 1
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30, check=False).returncode == 0


def _four_free_ports() -> int:
    """The first of four ports in a row that nobody listens on."""
    for base in range(18_700, 19_700, 4):
        try:
            for port in range(base, base + 4):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base
    raise AssertionError("no four free ports in a row")


def test_ports_follow_the_base_port() -> None:
    base = _four_free_ports()
    with SimulatorProcess("--profile", "tiny", "--base-port", str(base)) as running:
        assert [running.ports[name]["port"] for name in ("crm", "psa", "hris", "erp")] == list(range(base, base + 4))


def test_a_restart_goes_on_from_what_was_written(tmp_path: Path) -> None:
    options = ("--profile", "tiny", "--today", "2026-11-24", "--state-file", str(tmp_path / "state.jsonl"))
    with SimulatorProcess(*options) as running:
        with erp_client(running.controls) as client:
            client.post("/customers", json={"number": "C-7", "displayName": "Seven"}).raise_for_status()
            made = client.post("/timeRegistrationEntries", json=TIME).raise_for_status().json()
        with psa_client(running.controls) as client:
            client.delete("/workspace_allocations/900001").raise_for_status()
            client.put("/workspaces/40001", json={"workspace": {"title": "Renamed"}}).raise_for_status()
            first = client.post("/workspaces", json={"workspace": {"title": "New"}}).json()["results"][0]["id"]
        before = {name: running.controls.psa.state(name) for name in running.controls.psa.counts()}
    with (tmp_path / "state.jsonl").open("a") as torn:
        torn.write('{"system": "psa", "cut off')
    with SimulatorProcess(*options) as running:
        after = {name: running.controls.psa.state(name) for name in running.controls.psa.counts()}
        kept = running.controls.erp.state("timeRegistrationEntries")
        with psa_client(running.controls) as client:
            second = client.post("/workspaces", json={"workspace": {"title": "Newer"}}).json()["results"][0]["id"]
    assert after == before
    assert kept == [made]
    assert int(second) == int(first) + 1


def test_another_seeding_begins_anew(tmp_path: Path) -> None:
    options = ("--profile", "tiny", "--state-file", str(tmp_path / "state.jsonl"), "--today")
    with SimulatorProcess(*options, "2026-11-24") as running, psa_client(running.controls) as client:
        client.post("/workspaces", json={"workspace": {"title": "New"}}).raise_for_status()
    with SimulatorProcess(*options, "2026-11-25") as running:
        assert running.controls.psa.counts()["workspaces"] == 3


def test_what_was_written_before_a_reset_is_gone_for_good(tmp_path: Path) -> None:
    options = ("--profile", "tiny", "--today", "2026-11-24", "--state-file", str(tmp_path / "state.jsonl"))
    with SimulatorProcess(*options) as running, psa_client(running.controls) as client:
        client.post("/workspaces", json={"workspace": {"title": "New"}}).raise_for_status()
        with erp_client(running.controls) as erp:
            erp.post("/customers", json={"number": "C-7", "displayName": "Seven"}).raise_for_status()
        running.controls.psa.reset()
    with SimulatorProcess(*options) as running:
        assert running.controls.psa.counts()["workspaces"] == 3
        assert running.controls.erp.counts()["customers"] == 2


def test_taken_ports_are_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        command = [sys.executable, "-m", "connectors.simulators.server", "--base-port", port]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert f"The ports {port} to" in refused.stderr
    assert "Traceback" not in refused.stderr
