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


def test_taken_ports_are_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        command = [sys.executable, "-m", "connectors.simulators.server", "--base-port", port]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert f"The ports {port} to" in refused.stderr
    assert "Traceback" not in refused.stderr
