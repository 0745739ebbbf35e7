"""A real Tryton on loopback, from PyPI, in an environment of its own. Seeding takes half a minute and is kept in .cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.cli.paths import ROOT
from hub.cli.process import kill_group, spawn
from tests.peers.waiting import wait_until_it_answers

HERE = Path(__file__).parent
HOME = ROOT / ".peers" / "tryton"
MODULES = (
    "party company product project timesheet timesheet_cost project_invoice account account_invoice account_product"
)
PASSWORD = "admin-of-tryton"
DATABASE = "peer"


def is_installed() -> bool:
    return (HOME / "bin" / "trytond").exists()


@contextmanager
def running_tryton(folder: Path) -> Iterator[str]:
    """Yields the address of a Tryton with fresh demo data; user `admin`, password PASSWORD, database DATABASE."""
    seeded = _seeded()
    shutil.copytree(seeded, folder, dirs_exist_ok=True)
    port = _free_port()
    config = _write_config(folder, port)
    with open(folder / "tryton.log", "ab") as log:
        command = [str(HOME / "bin" / "trytond"), "-c", str(config), "-d", DATABASE]
        process = spawn(command, log=log.fileno(), cwd=folder)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/", folder / "tryton.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        kill_group(process)


def _seeded() -> Path:
    """A folder with the seeded database, made once for each version of the seed and of Tryton."""
    content = (HERE / "tryton_seed.py").read_bytes() + (HERE / "tryton.lock").read_bytes()
    place = ROOT / ".cache" / f"tryton-{hashlib.sha256(content).hexdigest()[:12]}"
    if place.exists():
        return place
    partial = place.with_name(f"{place.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    config = _write_config(partial, 0)
    (partial / f"{DATABASE}.sqlite").touch()
    (partial / "password").write_text(PASSWORD)
    env = {**os.environ, "TRYTONPASSFILE": str(partial / "password")}
    admin = [str(HOME / "bin" / "trytond-admin"), "-c", str(config), "-d", DATABASE]
    _do([*admin, "--all", "--email", "admin@example.org"], env)
    _do([*admin, "-u", *MODULES.split(), "--activate-dependencies"], env)
    _do([str(HOME / "bin" / "python"), str(HERE / "tryton_seed.py"), str(config), DATABASE], env)
    partial.rename(place)
    return place


def _do(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")


def _write_config(folder: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n[session]\nmax_attempt = 1000\n"
    )
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
