"""A real OpenSSH server for SFTP on loopback, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
KEYGEN = shutil.which("ssh-keygen")


@dataclass(frozen=True, slots=True)
class OpenSsh:
    port: int
    user: str
    private_key: str
    host_key: str


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running_openssh(folder: Path) -> Iterator[OpenSsh]:
    """An sshd of its own with fresh keys; the user is the one who runs the tests, and signs in by key."""
    assert SERVER
    assert KEYGEN
    for name in ("host", "client"):
        subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = _free_port()
    (folder / "authorized").write_text((folder / "client.pub").read_text())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\nAllowTcpForwarding no\nX11Forwarding no\n"
    )
    with (folder / "log").open("wb") as log:
        # it insists on being called by its whole path, and on a folder for the separation of privileges
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen([SERVER, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, stdout=log)
    try:
        _wait(port, process, folder / "log")
        public = " ".join((folder / "host.pub").read_text().split()[:2])
        user = os.environ.get("USER") or "root"
        yield OpenSsh(port, user, (folder / "client").read_text(), public)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError("sshd does not listen")
