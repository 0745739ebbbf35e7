"""manage.py reconcile: one document, and an exit code that says whether anything is left to explain."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from hub.common.errors import TransientError
from tests import memory

from .builders import World, entry, posted

pytestmark = pytest.mark.django_db


def reconcile(*words: str) -> tuple[dict[str, Any], int]:
    out, code = StringIO(), 0
    try:
        call_command("reconcile", *words, "--json", stdout=out, stderr=StringIO())
    except SystemExit as stopped:
        code = int(str(stopped.code))
    return json.loads(out.getvalue()), code


def test_nothing_unexplained_is_exit_0(world: World) -> None:
    world.psa += [entry(1), {**entry(1), "id": "1b"}]
    world.erp.append(posted(1))
    world.reconciliation()
    found, code = reconcile("time")
    assert (found["left"], found["right"], found["matched"], found["explained"], found["unexplained"], code) == (
        2, 1, 1, 1, 0, 0,
    )  # fmt: skip


def test_something_unexplained_is_exit_1_with_the_document_whole(world: World) -> None:
    world.psa.append(entry(1))
    world.erp += [posted(1), posted(2)]
    world.reconciliation()
    found, code = reconcile("time")
    assert (found["only_right"], found["unexplained"], code) == (1, 1, 1)
    assert found["totals"][0]["difference"] == "800.00"
    assert {"left", "right", "matched", "only_left", "only_right", "differing", "explained", "totals"} <= found.keys()


def test_a_side_that_does_not_answer_is_exit_1_with_its_reason(world: World) -> None:
    memory.system("psa").fail_with.append(TransientError("Down for the night."))
    world.reconciliation()
    found, code = reconcile("time")
    assert (found["status"], code) == ("not_comparable", 1)
    assert "Down for the night." in found["reason"]


def test_an_unknown_name_is_told_with_the_known_ones(world: World) -> None:
    world.reconciliation()
    found, code = reconcile("tyme")
    assert code == 1
    assert "Known: time" in found["error"]
