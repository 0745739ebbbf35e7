"""What a certification found: one proof for each promise, and the document that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hub.common.errors import HubError

State = Literal["passed", "failed", "not run"]


class Broken(Exception):
    """A promise was not kept; the message says what was seen instead."""


class NotRun(Exception):
    """A promise could not be tried; the message says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One promise: `rule` in a few words, `subject` the stream or `stream.operation` it is about, `detail` a sentence."""

    rule: str
    subject: str
    state: State
    detail: str = ""
    write_safety: str = ""

    def as_data(self) -> dict[str, Any]:
        """For programs; what did not run says so with its reason in one text."""
        data = {name: value for name, value in asdict(self).items() if value != ""}
        if self.state == "not run":
            data["state"] = f"not run: {data.pop('detail', '')}"
        return data


@dataclass(frozen=True, slots=True)
class Certificate:
    """Everything that was tried for one connector; `against` names the simulator, empty when there was none."""

    name: str
    vendor: str
    protocol: str
    against: str
    commit: str
    proofs: Sequence[Proof] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """True only when everything ran and held."""
        return bool(self.proofs) and all(proof.state == "passed" for proof in self.proofs)

    def as_data(self) -> dict[str, Any]:
        states = [proof.state for proof in self.proofs]
        counts = {state.replace(" ", "_"): states.count(state) for state in ("passed", "failed", "not run")}
        head = {name: getattr(self, name) for name in ("name", "vendor", "protocol", "against", "commit")}
        return {**head, "passed": self.passed, "counts": counts, "proofs": [proof.as_data() for proof in self.proofs]}


def prove(rule: str, subject: str, attempt: Callable[[], str], *, write_safety: str = "") -> Iterator[Proof]:
    """Carry out one attempt. It returns what was seen; Broken, NotRun and a HubError are its other ends."""
    try:
        yield Proof(rule, subject, "passed", attempt(), write_safety)
    except NotRun as reason:
        yield Proof(rule, subject, "not run", str(reason), write_safety)
    except Broken as reason:
        yield Proof(rule, subject, "failed", str(reason), write_safety)
    except HubError as error:
        yield Proof(rule, subject, "failed", str(error), write_safety)


def expect(holds: bool, otherwise: str) -> None:
    """Raise Broken with this sentence unless the condition holds."""
    if not holds:
        raise Broken(otherwise)
