"""How a system is asked for its own number of a term: by a read-only query, or by reading one of its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from governance.terms.parsing import parse
from governance.terms.syntax import TermError
from hub.common.registry import Problem

SHAPE = "A probe is {connection, query} for a database, or {connection, stream, expression} for any system."
WORDS = frozenset({"connection", "query", "stream", "expression"})
# What a query may name: the first and the last day of the term's period.
PARAMETERS = ("period_start", "period_end")
MAX_PROBES = 20
MAX_QUERY = 10_000


@dataclass(frozen=True, slots=True)
class Probe:
    """`connection` and `stream` are slugs. Either `query` is given, or `stream` and `expression`."""

    connection: str
    query: str = ""
    stream: str = ""
    expression: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Probe:
        return cls(**{name: str(value).strip() for name, value in given.items()})

    def as_data(self) -> dict[str, str]:
        """As it is kept and written down: only what is said."""
        said = {"query": self.query, "stream": self.stream, "expression": self.expression}
        return {"connection": self.connection} | {name: value for name, value in said.items() if value}


def problems(given: Any) -> Iterator[Problem]:
    """Everything wrong with a term's probes on their own."""
    if not isinstance(given, list) or len(given) > MAX_PROBES:
        yield Problem("probes", f"Probes are a list of at most {MAX_PROBES}. {SHAPE}")
        return
    seen: set[str] = set()
    for position, each in enumerate(given):
        if problem := _problem(f"probes.{position}", each):
            yield problem
        elif each["connection"] in seen:
            yield Problem(f"probes.{position}.connection", f"{each['connection']!r} has a probe already.")
        else:
            seen.add(each["connection"])


def _problem(path: str, given: Any) -> Problem | None:
    if not isinstance(given, dict) or set(given) - WORDS or not all(isinstance(v, str) for v in given.values()):
        return Problem(path, SHAPE)
    probe = Probe.of(given) if given.get("connection") else None
    if probe is None or bool(probe.query) == bool(probe.stream or probe.expression):
        return Problem(path, SHAPE)
    if probe.query:
        long = len(probe.query) > MAX_QUERY
        return Problem(f"{path}.query", f"The query has more than {MAX_QUERY:,} characters.") if long else None
    if not (probe.stream and probe.expression):
        return Problem(path, SHAPE)
    return expression_problem(f"{path}.expression", probe.expression, of_stream=True)


def expression_problem(path: str, text: str, *, of_stream: bool = False) -> Problem | None:
    """What is wrong with an expression, with line and column."""
    try:
        parse(text, of_stream=of_stream)
    except TermError as error:
        return Problem(path, str(error))
    return None
