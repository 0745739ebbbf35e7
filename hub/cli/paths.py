"""Where this hub keeps its files. Reads the environment at call time, because scratch hubs change it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# A unix socket's address is limited to 107 bytes on Linux (103 on macOS); ".s.PGSQL.5432.lock" is the longest name.
SOCKET_DIR_MAX = 84


def data_dir() -> Path:
    """The data folder (`HUB_DATA`, default `var` in the checkout), made when missing, readable by its owner only."""
    folder = Path(os.environ.get("HUB_DATA") or ROOT / "var").resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def socket_dir(data: Path) -> Path:
    """A folder for the unix sockets: inside the data folder, or a short private one when that path is too long."""
    folder = data / "run"
    if len(str(folder)) > SOCKET_DIR_MAX:
        digest = hashlib.sha256(str(data).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"syncline-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
