"""Connection tests: named steps under one time limit, each of which says what it found or why it failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from connectors.failures import remote_words
from hub.common.errors import HubError
from hub.common.http import Redactor
from hub.common.records import CheckStep

TIME_LIMIT_SECONDS = 5.0
StepName = Literal["resolve", "connect", "authenticate", "read"]
# Takes the seconds that are left and returns what was found; raises HubError.
Step = Callable[[float], str]


def run_steps(steps: Iterable[tuple[StepName, Step]], redact: Redactor) -> Iterator[CheckStep]:
    """Carry out the steps until one fails. Never raises."""
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    for name, step in steps:
        started = time.monotonic()
        result = _run(name, step, deadline, redact)
        yield CheckStep(
            name, result.ok, result.detail, result.cause, result.fix, round(time.monotonic() - started, 3), result.code
        )
        if not result.ok:
            return


def _run(name: StepName, step: Step, deadline: float, redact: Redactor) -> CheckStep:
    left = deadline - time.monotonic()
    if left <= 0:
        return CheckStep(name, False, f"The test took longer than {TIME_LIMIT_SECONDS:.0f} seconds.", fix=_SLOW)
    try:
        return CheckStep(name, True, redact(step(left)))
    except HubError as error:
        words = redact(remote_words(error) or error.where)
        return CheckStep(name, False, redact(error.what), words, error.fix, code=error.code)
    except Exception as error:
        # a test that breaks the page it is shown on helps nobody
        return CheckStep(name, False, "The test itself failed.", redact(f"{type(error).__name__}: {error}"))


_SLOW = "Check whether the system is slow, or a firewall swallows the connection."
