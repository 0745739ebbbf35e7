"""Until a peer that was started answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 60


def wait_until_it_answers(address: str, log: Path) -> None:
    """Any answer will do; RuntimeError with the end of the log when there is none."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{address} does not answer: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
