"""`manage.py up` as a whole: what runs, what is restarted, what is left behind (nothing)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.cli.paths import ROOT

PATIENCE_SECONDS = 180


class Hub:
    """A hub of its own: own data folder, own port, own services."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        given = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "DATABASE_", "REDIS_"))}
        given["HUB_CLUSTER_TEMPLATE"] = os.environ.get("HUB_CLUSTER_TEMPLATE", "")
        self.env = {**given, "HUB_DATA": str(data), "HUB_PORT": str(self.port), "HUB_WEB_WORKERS": "1"}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "manage.py", "up", "--no-demo"]
        with open(self.data / "up.log", "wb") as log:
            process = self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)
        eventually(lambda: process.poll() is not None or "Ctrl-C" in self.log())
        assert process.poll() is None, self.log()

    def log(self) -> str:
        return (self.data / "up.log").read_text()

    def get(self, path: str) -> dict[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            found: dict[str, str] = json.load(answer)
        return found

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def pids(self, word: str = "") -> list[int]:
        """Processes that work on this data folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if (
                str(self.data).encode() in environ + command
                and word.encode() in command
                and int(entry.name) != os.getpid()
            ):
                found.append(int(entry.name))
        return found

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_SECONDS)


def eventually(check: Callable[[], object], explain: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    data = tmp_path / "var"
    data.mkdir()
    found = Hub(data)
    yield found
    found.stop()
    for pid in found.pids():
        os.kill(pid, signal.SIGKILL)


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_up_serves_restarts_what_falls_and_leaves_nothing_behind(hub):
    hub.env.pop("HUB_CLUSTER_TEMPLATE")  # from nothing, as on a user's machine
    hub.start()
    assert hub.get("/healthz")["status"] == "ok"
    assert hub.get("/readyz")["status"] == "ok"
    assert "/setup/?code=" in hub.log()

    worker = min(hub.pids("celery\0-A\0hub\0worker"))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: hub.pids("celery\0-A\0hub\0worker") and worker not in hub.pids("celery"))

    attached = hub.command("config", "export", str(hub.data / "export"))
    assert attached.returncode == 0, attached.stderr

    hub.stop()
    assert hub.process.returncode == 0, hub.log()
    assert hub.pids() == []


def test_a_killed_supervisor_leaves_no_orphan_and_the_next_start_keeps_the_data(hub):
    made = hub.command("create_token", "--user", "robot@example.com", "--role", "viewer", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)
    hub.start()
    hub.process.kill()
    hub.process.wait()
    eventually(lambda: not hub.pids(), lambda: str(hub.pids()))
    hub.start()
    assert hub.get("/readyz")["status"] == "ok"


def test_a_second_start_on_the_same_data_says_who_holds_it(hub):
    hub.start()
    env = {**hub.env, "HUB_PORT": "0"}
    second = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert second.returncode == 1
    assert f"already runs on this data folder (process {hub.process.pid})" in second.stderr


def test_a_taken_port_is_named(hub):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", hub.port))
        taken.listen()
        refused = hub.command("up")
    assert refused.returncode == 1
    assert f"Port {hub.port} cannot be used" in refused.stderr


def test_a_broker_that_may_evict_messages_is_refused():
    import redis

    from hub.cli.valkey import refuse_evicting_broker
    from hub.common.errors import ConfigError

    url = os.environ["REDIS_URL"]
    client = redis.Redis.from_url(url.replace("redis+socket://", "unix://"))
    refuse_evicting_broker(url)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigError, match="noeviction"):
            refuse_evicting_broker(url)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
