"""A Celery worker whose mappings are deadly: python -m tests.killed_worker FOLDER_OF_DEATHS."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(folder: Path) -> None:
    from hub.celery import app
    from hub.cli.process import die_with_parent

    die_with_parent(os.getppid())
    app.loader.import_default_modules()
    from tests.killer import kill_in_mappings

    kill_in_mappings(folder)
    arguments = ["worker", "-c", "2", "--loglevel", "INFO", "-Q", "read,deliver,process"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "-n", f"killed-{os.getpid()}@%h"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
