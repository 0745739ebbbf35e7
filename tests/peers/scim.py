"""A SCIM 2.0 server that nobody here wrote (scim2-server), on loopback, in an environment of its own; in memory only."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.cli.paths import ROOT
from hub.cli.process import kill_group, spawn
from tests.peers.waiting import wait_until_it_answers

HOME = ROOT / ".peers" / "scim"
TOKEN = "scim-peer-token"


def is_installed() -> bool:
    return (HOME / "bin" / "scim2-server").exists()


@contextmanager
def running_scim(folder: Path) -> Iterator[str]:
    """Yields the address of an empty service that takes TOKEN."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(HOME / "bin" / "scim2-server"),
        "--hostname",
        "127.0.0.1",
        "--port",
        str(port),
        "--bearer-token",
        TOKEN,
    ]
    with open(folder / "scim.log", "ab") as log:
        process = spawn(command, log=log.fileno(), cwd=folder)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/v2/ServiceProviderConfig", folder / "scim.log")
        yield f"http://127.0.0.1:{port}/v2"
    finally:
        kill_group(process)
