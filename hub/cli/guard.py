"""python -m hub.cli.guard SIGNAL COMMAND…: run COMMAND and signal it when our stdin closes, i.e. when the parent is gone.

Used where the kernel has no parent-death signal (macOS).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(argv: list[str]) -> int:
    signum, command = int(argv[1]), argv[2:]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    for forwarded in (signal.SIGTERM, signal.SIGINT):
        signal.signal(forwarded, lambda received, _: child.send_signal(received))
    threading.Thread(target=_watch, args=(child, signum), daemon=True).start()
    return child.wait()


def _watch(child: subprocess.Popen[bytes], signum: int) -> None:
    while os.read(0, 1024):
        pass
    child.send_signal(signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
