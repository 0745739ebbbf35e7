"""A real MariaDB of its own, where `mariadbd` is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

SERVER = shutil.which("mariadbd")
INSTALL = shutil.which("mariadb-install-db")
PASSWORD = "s3cret-token"


@contextmanager
def running_mariadb(folder: Path) -> Iterator[int]:
    """The port of a server with a database `legacy` (latin1) and the user `hub`."""
    assert SERVER
    assert INSTALL
    data, base = folder / "data", str(Path(SERVER).resolve().parent.parent)
    user = ["--user=root"] if os.geteuid() == 0 else []
    where = ["--no-defaults", f"--basedir={base}", f"--datadir={data}", *user]
    how = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([INSTALL, *where, *how], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    unix = folder / "s"
    options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={unix}", "--innodb-buffer-pool-size=64M"]
    server = subprocess.Popen([SERVER, *where, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _prepare(unix)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _prepare(unix: Path) -> None:
    for _ in range(200):
        try:
            root = pymysql.connect(unix_socket=str(unix), user="root")
            break
        except pymysql.err.OperationalError:
            time.sleep(0.1)
    with root, root.cursor() as cursor:
        cursor.execute("create database legacy character set latin1")
        cursor.execute(f"create user hub@'127.0.0.1' identified by '{PASSWORD}'")
        cursor.execute("grant all on legacy.* to hub@'127.0.0.1'")
