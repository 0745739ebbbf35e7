"""A Celery worker whose leases are short, so that the work of one that was killed is taken over within a test's patience.

python -m hub.sync.chaos.worker LEASE_SECONDS CONCURRENCY
"""

from __future__ import annotations

import os
import sys


def main(lease_seconds: float, concurrency: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    from hub.celery import app
    from hub.cli.process import die_with_parent

    die_with_parent(os.getppid())
    app.loader.import_default_modules()
    from hub.sync import runs

    runs.LEASE_SECONDS = lease_seconds  # type: ignore[assignment]  # inherited by the pool, which is forked
    arguments = ["worker", "-c", str(concurrency), "--loglevel", "WARNING", "-Q", "read,deliver,process,monitor"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "-n", f"chaos-{os.getpid()}@%h"])


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
