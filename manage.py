#!/usr/bin/env python3
"""Entry point of every command; falls back to the checkout's own .venv when Django is not importable."""

import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    try:
        from hub.cli.main import run
    except ModuleNotFoundError as error:
        venv_python = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
        if error.name and not error.name.startswith("hub") and venv_python.exists() and sys.prefix == sys.base_prefix:
            os.execv(venv_python, [str(venv_python), *sys.argv])
        raise
    run(sys.argv)


if __name__ == "__main__":
    main()
