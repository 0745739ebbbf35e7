"""`manage.py simulate`: vendors on this machine, each with its control plane."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from connectors.simulators.client import Control
from hub.cli.paths import ROOT


def test_vendors_answer_until_the_command_is_stopped() -> None:
    command = [sys.executable, "manage.py", "simulate", "harvest", "scim", "--profile", "tiny", "--today", "2026-11-24"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        places = json.loads(process.stdout.readline())
        assert {name: Control(place["url"]).health()["system"] for name, place in places.items()} == {
            "harvest": "harvest",
            "scim": "scim",
        }
        assert Control(places["harvest"]["url"]).counts()["time_entries"] == 60
    finally:
        process.terminate()
        assert process.wait(20) == 0
        if process.stdout:
            process.stdout.close()


def test_a_vendor_that_nobody_simulates_is_said_with_the_nearest() -> None:
    with pytest.raises(CommandError, match=r"There is no simulator 'harvset'\. Did you mean `harvest`"):
        call_command("simulate", "harvset")


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"The port {port} is not free"):
            call_command("simulate", "harvest", port=port)


def test_a_firm_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CommandError, match="There is no profile 'huge'"):
        call_command("simulate", "runn", profile="huge")
