"""manage.py simulate: vendors by name, one port after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

from hub.cli.paths import ROOT


def _ask(url: str) -> dict[str, object]:
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def test_two_vendors_answer_with_their_control_planes_until_they_are_told_to_stop() -> None:
    command = [sys.executable, "manage.py", "simulate", "salesforce", "certinia", "--profile", "tiny"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            places = json.loads(process.stdout.readline())
            assert list(places) == ["salesforce", "certinia"]
            for name, place in places.items():
                assert _ask(f"{place['url']}/_control/health")["system"] == name
                assert "client_secret" in _ask(f"{place['url']}/_control/credentials")
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_a_vendor_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "manage.py", "simulate", "salesfroce"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "salesforce" in done.stderr
