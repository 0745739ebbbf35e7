"""Sources and crash points, the short tier: each story on a hub of its own, with few records."""

from __future__ import annotations

import pytest

from hub.sync.chaos import points, proofs, scenarios
from hub.sync.chaos.fault import Options
from tests.chaos.test_short_tier import chaos


def test_a_worker_that_ends_at_any_crash_point_loses_nothing_and_doubles_nothing() -> None:
    found = chaos("crash-points", "--kills", "1", "--seed", "6", "--class", "C")
    assert found["passed"], found
    assert set(found["points"]) == {point.name for point in points.POINTS}
    assert min(found["points"].values()) >= 1


@pytest.mark.parametrize("name", ["F14", "F34"])
def test_a_source_that_misbehaves_loses_nothing(name: str) -> None:
    found = chaos(name, "--records", "200", "--seed", "7")
    assert found["passed"], found


@pytest.mark.parametrize("point", points.POINTS, ids=lambda point: point.name)
def test_each_crash_point_stands_at_a_function_that_there_is(point: points.Point) -> None:
    owner, name = points.owner_of(point)
    assert callable(getattr(owner, name))


def test_points_have_names_of_their_own() -> None:
    assert len({point.name for point in points.POINTS}) == len(points.POINTS)


def test_a_fault_that_did_not_happen_is_no_proof() -> None:
    quiet = scenarios.Scenario("F0", "Nothing", lambda options, told: told.expect("missed", 0), ("flood",))
    found = scenarios.run(quiet, Options())
    assert (found["passed"], found["reason"]) == (False, "These faults did not happen: flood.")


def test_a_figure_that_is_not_as_wanted_fails() -> None:
    def lossy(options: Options, told: scenarios.Told) -> None:
        told.fired["flood"] += 1
        told.expect("missed", 3)

    found = scenarios.run(scenarios.Scenario("F0", "Loss", lossy), Options())
    assert (found["passed"], found["reason"], found["missed"]) == (False, "missed is 3 and should be 0.", 3)


def test_the_tests_that_stand_for_a_fault_exist() -> None:
    for proof in proofs.PROOFS.values():
        for test in proof.tests:
            path, _, name = test.partition("::")
            text = (proofs.ROOT / path).read_text()
            assert f"def {name}(" in text if name else "def test_" in text
