"""Child processes that never outlive us, however we end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
LINUX = sys.platform.startswith("linux")


def die_with_parent(parent_pid: int, signum: int = signal.SIGTERM) -> None:
    """Ask the kernel to signal this process when its parent ends (Linux).

    The request is lost when the parent ended just before it, hence the check of the parent's pid afterwards.
    """
    if not LINUX:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent_pid:
        os._exit(1)


def _prepare(parent_pid: int, signum: int) -> Callable[[], None]:
    return lambda: die_with_parent(parent_pid, signum)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: IO[bytes] | int | None = None,
    user: tuple[int, int] | None = None,
    death_signal: int = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that a Ctrl-C reaches it only through us; it ends when we end.

    `user` is (uid, gid) to run as. Where the kernel cannot signal on a parent's death, a guard process holds a pipe
    to us and ends the command when the pipe closes.
    """
    if not LINUX:
        command = [sys.executable, "-m", "hub.cli.guard", str(int(death_signal)), *command]
    uid, gid = user or (None, None)
    return subprocess.Popen(
        list(command),
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL if LINUX else subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT if log is not None else None,
        start_new_session=True,
        user=uid,
        group=gid,
        extra_groups=[] if user else None,
        cwd=cwd,
        preexec_fn=_prepare(os.getpid(), death_signal) if LINUX else None,
    )


def end(child: subprocess.Popen[bytes], *signums: int, grace_seconds: float) -> None:
    """Send the signals one after the other, each with its grace; after the last one the process group is killed."""
    for signum in signums:
        if child.poll() is not None:
            return
        child.send_signal(signum)
        try:
            child.wait(grace_seconds)
            return
        except subprocess.TimeoutExpired:
            continue
    kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait(5)
