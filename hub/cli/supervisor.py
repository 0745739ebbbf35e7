"""`manage.py up`: services, migrations, then web, workers and scheduler as children that are restarted when they fall."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.cli.main import PREPARED_MARK, migrate
from hub.cli.paths import ROOT, data_dir
from hub.cli.process import end, kill_group, spawn
from hub.cli.services import Services, claim
from hub.cli.valkey import refuse_evicting_broker
from hub.common.errors import ConfigError

# The whole stop fits into 3 s: children may finish what they do, then they are killed, which the engine survives.
CHILD_GRACE_SECONDS = 0.8
SERVICE_GRACE_SECONDS = 1.0
RESTART_PAUSE_SECONDS = 0.5
# What `prepare` brings into a database; when none of it has changed, a start need not look.
PREPARED_FROM = ("*/migrations/*.py", "hub/*/migrations/*.py", "governance/canonical/**/*", "requirements.lock")
QUEUES = "read,deliver,process,monitor"
# What may take long without anybody waiting has workers of its own: events for other systems, backfills, first loads.
ASIDE_QUEUES = "tell,backfill,adopt,look"


@dataclass
class Child:
    name: str
    command: list[str]
    role: str
    process: subprocess.Popen[bytes] | None = None
    falls: list[float] = field(default_factory=list)

    def start(self, data: Path) -> None:
        env = {**os.environ, "HUB_DB_ROLE": self.role, "HUB_PROCESS": self.name, "PYTHONUNBUFFERED": "1"}
        with open(data / f"{self.name}.log", "ab") as log:
            self.process = spawn(self.command, env=env, log=log.fileno(), cwd=ROOT)

    @property
    def fell(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def children(host: str, port: int) -> list[Child]:
    python = sys.executable
    workers = os.environ.get("HUB_WEB_WORKERS", "2")
    concurrency = os.environ.get("HUB_WORKER_CONCURRENCY", "2")
    web = [python, "-m", "gunicorn", "hub.wsgi", "-k", "gthread", "-w", workers, "--threads", "8"]
    # Loaded once, then forked: half the memory, and half the processor time until the first page.
    web += ["--preload", "-b", f"{host}:{port}", "--no-control-socket", "--access-logfile", "/dev/null"]
    web += ["--graceful-timeout", "1", "--timeout", "60"]
    worker = [*_worker("worker", QUEUES), "-c", concurrency]
    aside = [*_worker("aside", ASIDE_QUEUES), "-c", "2"]
    beat = [python, "-m", "celery", "-A", "hub", "beat", "--loglevel", "WARNING", "-s", str(data_dir() / "beat")]
    return [
        Child("web", web, "web"),
        Child("worker", worker, "engine"),
        Child("aside", aside, "engine"),
        Child("beat", beat, "engine"),
    ]


def _worker(name: str, queues: str) -> list[str]:
    command = [sys.executable, "-m", "celery", "-A", "hub", "worker", "-Q", queues, "--loglevel", "WARNING"]
    return [*command, "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]


def up(arguments: list[str]) -> None:
    """Start everything, print where to go, and watch until a signal asks to stop."""
    host, port = os.environ.get("HUB_HOST", "127.0.0.1"), int(os.environ.get("HUB_PORT", "8000"))
    _refuse_taken_port(host, port)
    data = data_dir()
    services = claim(data)
    if services is None:
        holder = (data / "hub.lock").read_text()
        raise ConfigError(
            f"Syncline already runs on this data folder (process {holder}).",
            where=str(data),
            fix="Stop it, or set HUB_DATA to another folder.",
        )
    Supervisor(services, host, port, with_demo="--no-demo" not in arguments).run()


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"Port {port} cannot be used: {error.strerror}.", where=f"{host}:{port}", fix="Set HUB_PORT to another."
            ) from None


@dataclass
class Supervisor:
    services: Services
    host: str
    port: int
    with_demo: bool
    stopping: threading.Event = field(default_factory=threading.Event)
    running: list[Child] = field(default_factory=list)

    def run(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, lambda *_: self.stopping.set())
        try:
            self.services.start()
            refuse_evicting_broker(os.environ["REDIS_URL"])
            self._prepare()
            self._collect_static()
            for child in children(self.host, self.port):
                self._launch(child)
            self._launch_simulators()
            self._welcome()
            self._load_demo()
            self._watch()
        finally:
            self._stop()

    def _launch(self, child: Child) -> None:
        self.running.append(child)
        child.start(self.services.data)

    def _launch_simulators(self) -> bool:
        """The demo firm's systems, when this hub has one; started once."""
        settings = self.services.data / "demo.json"
        if not settings.exists() or any(child.name == "simulators" for child in self.running):
            return False
        demo = json.loads(settings.read_text())
        command = [sys.executable, "-m", "connectors.simulators.server", "--base-port", str(demo["base_port"])]
        command += ["--profile", demo["profile"], "--seed", str(demo["seed"]), "--today", demo["today"]]
        command += ["--state-file", str(self.services.data / "simulators.jsonl")]
        self._launch(Child("simulators", command, "engine"))
        return True

    def _load_demo(self) -> None:
        """A demo firm that cannot be loaded is a pity, not a reason to stop the hub."""
        if not self._launch_simulators():
            return
        try:
            self._manage("demo", "load")
        except ConfigError as error:
            print(f"{error} The hub runs without the demo firm.", file=sys.stderr)

    def _watch(self) -> None:
        while not self.stopping.wait(RESTART_PAUSE_SECONDS):
            for child in self.running:
                if child.fell:
                    self._restart(child)
            self.services.revive()

    def _restart(self, child: Child) -> None:
        now = time.monotonic()
        child.falls = [fall for fall in child.falls if now - fall < 60] + [now]
        if len(child.falls) > 10:
            self.stopping.set()
            log = self.services.data / f"{child.name}.log"
            print(f"{child.name} fell ten times in a minute; its log is {log}", file=sys.stderr)
            return
        assert child.process
        kill_group(child.process)  # pool processes of a killed worker must not linger
        child.start(self.services.data)

    def _stop(self) -> None:
        self.stopping.set()
        threads = [threading.Thread(target=_end, args=(child,)) for child in self.running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.services.stop(SERVICE_GRACE_SECONDS)

    def _prepare(self) -> None:
        """The embedded database is brought up to date only when what ships has changed; a server of others every time."""
        mark, wanted = self.services.data / PREPARED_MARK, _fingerprint(ROOT, PREPARED_FROM)
        if not self.services.postgres or _differs(mark, wanted):
            migrate()
            mark.write_text(wanted)

    def _collect_static(self) -> None:
        """Static files are gathered and compressed again only when one of them changed."""
        mark = self.services.data / "static.mark"
        wanted = _fingerprint(ROOT, ("static/**/*",))
        if _differs(mark, wanted):
            self._manage("collectstatic", "--no-input", "--verbosity", "0")
            if not self.stopping.is_set():
                mark.write_text(wanted)

    def _welcome(self) -> None:
        """Say where to go as soon as the web answers; the demo firm loads behind it."""
        arguments = ["welcome", "--url", f"http://{self.host}:{self.port}"]
        self._manage(*arguments, *([] if self.with_demo else ["--no-demo"]))

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        env = {**os.environ, "HUB_DB_ROLE": "engine"}
        process = spawn(command, env=env, cwd=ROOT)
        while process.poll() is None and not self.stopping.wait(0.05):
            pass
        if process.poll() is None:
            end(process, signal.SIGTERM, grace_seconds=0.5)
        elif process.returncode and not self.stopping.is_set():
            raise ConfigError(f"`manage.py {arguments[0]}` failed.", fix="The reason stands above.")


def _end(child: Child) -> None:
    if child.process:
        end(child.process, signal.SIGTERM, grace_seconds=CHILD_GRACE_SECONDS)
        try:
            os.killpg(child.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _differs(mark: Path, wanted: str) -> bool:
    return not mark.exists() or mark.read_text() != wanted


def _fingerprint(folder: Path, patterns: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if path.is_file():
            stat = path.stat()
            digest.update(f"{path.relative_to(folder)}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    return digest.hexdigest()
