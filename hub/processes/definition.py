"""What a process is: its triggers, its look-ups and its steps. Pure: a definition in, dataclasses or sentences out.

Steps are a graph. `after` names the steps that have to be settled before; left out, it is the step above. A step whose
predecessors were all skipped is skipped itself. Expressions are JSONata over the context, see hub.processes.context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.sync import scheduling
from mappings.expressions import ExpressionError, compile_expression

Definition = dict[str, Any]
KINDS: dict[str, tuple[frozenset[str], frozenset[str], str]] = {
    # kind → (fields it needs, fields it may have, what it does)
    "check": (frozenset({"that", "message"}), frozenset({"fix"}), "Goes on when a condition holds, else asks its owner"),
    "ensure": (frozenset({"sync", "key"}), frozenset(), "Has a record at a target, and waits for its confirmation"),
    "action": (
        frozenset({"stream", "operation", "key", "body"}), frozenset({"ref", "undo"}), "Writes at a system, once",
    ),
    "wait": (frozenset(), frozenset({"event", "subject", "until", "seconds", "timeout_seconds", "on_timeout"}),
             "Waits for an event, a condition, or a time"),
    "ask": (frozenset({"question"}), frozenset({"fields"}), "Asks a person"),
    "branch": (frozenset({"choose"}), frozenset(), "Chooses which steps follow"),
    "notify": (frozenset({"text"}), frozenset(), "Tells the people of a role"),
    "set": (frozenset({"values"}), frozenset(), "Computes values for later steps"),
}  # fmt: skip
COMMON = frozenset({"name", "kind", "title", "after", "when", "role", "sla", "undo_task"})
TRIGGERS = {"event": {"event", "only_when"}, "schedule": {"cron", "time_zone"}, "api": set()}
FIELD_TYPES = ("text", "number", "choice", "yes_no", "date")
OPERATIONS = ("create", "update", "upsert")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
Problem = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is configured; `more` is what its kind knows besides."""

    name: str
    kind: str
    title: str
    after: tuple[str, ...]
    when: str = ""
    role: str = ""
    sla_seconds: int | None = None
    undo_task: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leads_to(self) -> list[str]:
        """Steps that a branch may choose."""
        return [name for option in self.more.get("choose") or () for name in option.get("then") or ()]


def steps_of(definition: Definition) -> dict[str, Step]:
    """The steps in their order, by name. The definition is valid."""
    found: dict[str, Step] = {}
    last: tuple[str, ...] = ()
    for given in definition.get("steps") or ():
        name = given["name"]
        after = tuple(given["after"]) if "after" in given else last
        sla = given.get("sla") or {}
        seconds = int(float(sla["hours"]) * 3_600) if sla.get("hours") is not None else None
        more = {key: value for key, value in given.items() if key not in COMMON}
        found[name] = Step(
            name, given["kind"], given.get("title") or name.replace("_", " ").capitalize(), after,
            given.get("when") or "", given.get("role") or "", seconds, given.get("undo_task") or "", more,
        )  # fmt: skip
        last = (name,)
    return found


def order(steps: Mapping[str, Step]) -> list[str]:
    """Names so that each stands behind those it comes after; as they are written where that leaves a choice."""
    placed: list[str] = []
    while len(placed) < len(steps):
        ready = [n for n, step in steps.items() if n not in placed and all(a in placed for a in step.after)]
        if not ready:
            break
        placed.append(ready[0])
    return placed


# What is wrong ---------------------------------------------------------------------------------------------
def problems(definition: Definition) -> Iterator[Problem]:
    """Everything wrong with a definition on its own, as (path, sentence)."""
    for name in set(definition) - {"triggers", "lookups", "steps"}:
        yield name, f"A process has no field {name!r}. Known: lookups, steps, triggers."
    yield from _trigger_problems(definition.get("triggers") or [])
    yield from _lookup_problems(definition.get("lookups") or {})
    steps = definition.get("steps")
    if not isinstance(steps, list) or not steps:
        yield "steps", "A process needs at least one step."
        return
    found = [problem for number, given in enumerate(steps) for problem in _step_problems(f"steps.{number}", given)]
    yield from found
    if not found:
        yield from _graph_problems(steps)


def _trigger_problems(triggers: Any) -> Iterator[Problem]:
    if not isinstance(triggers, list):
        yield "triggers", "Write a list of triggers."
        return
    for number, given in enumerate(triggers):
        path = f"triggers.{number}"
        kind = next((kind for kind in TRIGGERS if isinstance(given, dict) and kind in given), None)
        if isinstance(given, dict) and "cron" in given:
            kind = "schedule"
        if kind is None:
            yield path, "A trigger is {event: name}, {cron: '0 6 * * *', time_zone: Europe/London}, or {api: true}."
            continue
        if unknown := set(given) - TRIGGERS[kind] - {kind}:
            yield path, f"A trigger by {kind} has no field {min(unknown)!r}."
        if kind == "schedule":
            yield from _schedule_problems(path, given)
        elif kind == "event" and not isinstance(given.get("only_when", {}), dict):
            yield f"{path}.only_when", "Write a field and the list of its values: {practice: [Data]}."


def _schedule_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    found = scheduling.problems(str(given.get("cron") or ""), given.get("time_zone") or "UTC")
    yield from ((f"{path}.{name}", sentence) for name, sentence in found)


def _lookup_problems(lookups: Any) -> Iterator[Problem]:
    if not isinstance(lookups, dict):
        yield "lookups", "Write names with {entity, key}: {customer: {entity: customer, key: record.customer}}."
        return
    for name, given in lookups.items():
        if not isinstance(given, dict) or set(given) != {"entity", "key"}:
            yield f"lookups.{name}", "A look-up has an entity and a key: {entity: customer, key: record.customer}."
        else:
            yield from _expression_problems(f"lookups.{name}.key", given["key"])


def _step_problems(path: str, given: Any) -> Iterator[Problem]:
    if not isinstance(given, dict):
        yield path, "A step is written as name, kind and what the kind needs."
        return
    name, kind = given.get("name"), given.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"{path}.name", f"{name!r} is no name of a step. Use lower-case letters, digits and underscores."
    if kind not in KINDS:
        yield f"{path}.kind", f"{kind!r} is no kind of step. Use one of: {', '.join(KINDS)}."
        return
    needs, may, _ = KINDS[kind]
    for missing in sorted(needs - set(given)):
        yield f"{path}.{missing}", f"The {kind} {name} needs {missing!r}."
    for unknown in sorted(set(given) - needs - may - COMMON):
        yield f"{path}.{unknown}", f"A {kind} has no field {unknown!r}. It may have: {', '.join(sorted(needs | may))}."
    if given.get("when"):
        yield from _expression_problems(f"{path}.when", given["when"])
    if "sla" in given and not _is_hours(given["sla"]):
        yield f"{path}.sla", "Write the business hours within which it is to be done: {hours: 4}."
    if not needs - set(given):
        yield from _KIND_CHECKS.get(kind, lambda path, given: iter(()))(path, given)


def _is_hours(sla: Any) -> bool:
    return (
        isinstance(sla, dict)
        and set(sla) == {"hours"}
        and isinstance(sla["hours"], int | float)
        and 0 < sla["hours"] < 10_000
    )


def _check_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    yield from _expression_problems(f"{path}.that", given["that"])


def _ensure_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    yield from _expression_problems(f"{path}.key", given["key"])


def _action_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    if given["operation"] not in OPERATIONS:
        yield f"{path}.operation", f"{given['operation']!r} is no operation. Use one of: {', '.join(OPERATIONS)}."
    yield from _expression_problems(f"{path}.key", given["key"])
    yield from _values_problems(f"{path}.body", given["body"])
    if given.get("ref"):
        yield from _expression_problems(f"{path}.ref", given["ref"])
    if "undo" in given:
        undo = given["undo"]
        if not isinstance(undo, dict) or not {"operation"} <= set(undo) <= {"operation", "body"}:
            yield (
                f"{path}.undo",
                "What undoes it is {operation: delete}, or an update with its body.",
            )
        elif undo["operation"] not in (*OPERATIONS, "delete", "deactivate"):
            yield f"{path}.undo.operation", f"{undo['operation']!r} is no operation."
        else:
            yield from _values_problems(f"{path}.undo.body", undo.get("body") or {})


def _wait_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    ways = [name for name in ("event", "until", "seconds") if name in given]
    if len(ways) != 1:
        yield path, "A wait is for one thing: an event, a condition (until), or some seconds."
    for name in ("until", "subject"):
        if given.get(name):
            yield from _expression_problems(f"{path}.{name}", given[name])
    for name in ("seconds", "timeout_seconds"):
        if name in given and not (isinstance(given[name], int) and given[name] > 0):
            yield f"{path}.{name}", "Write whole seconds, such as 86400 for a day."
    if given.get("on_timeout", "fail") not in ("fail", "continue"):
        yield f"{path}.on_timeout", "When the time is over it may fail or continue."


def _ask_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    for number, each in enumerate(given.get("fields") or ()):
        place = f"{path}.fields.{number}"
        if not isinstance(each, dict) or not _NAME.fullmatch(str(each.get("name", ""))):
            yield place, "A field of the answer is {name: rate_card, title: Rate card, type: text}."
        elif each.get("type", "text") not in FIELD_TYPES:
            yield f"{place}.type", f"{each['type']!r} is no type. Use one of: {', '.join(FIELD_TYPES)}."
        elif each.get("type") == "choice" and not each.get("options"):
            yield f"{place}.options", "A choice needs its options."


def _branch_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    options = given["choose"]
    if not isinstance(options, list) or not options:
        yield (
            f"{path}.choose",
            "Write what is chosen when: [{when: record.amount > 1000, then: [ask]}, {then: [go_on]}].",
        )
        return
    for number, option in enumerate(options):
        place = f"{path}.choose.{number}"
        if not isinstance(option, dict) or not isinstance(option.get("then"), list) or set(option) - {"when", "then"}:
            yield place, "An option has the steps that follow (then) and, but for the last one, a condition (when)."
        elif option.get("when"):
            yield from _expression_problems(f"{place}.when", option["when"])
        elif number < len(options) - 1:
            yield place, "An option without a condition is always taken: it has to be the last one."


def _set_problems(path: str, given: dict[str, Any]) -> Iterator[Problem]:
    yield from _values_problems(f"{path}.values", given["values"])


def _values_problems(path: str, values: Any) -> Iterator[Problem]:
    if not isinstance(values, dict):
        yield path, "Write names with expressions: {total: record.amount}."
        return
    for name, text in values.items():
        yield from _expression_problems(f"{path}.{name}", text)


_KIND_CHECKS = {
    "check": _check_problems, "ensure": _ensure_problems, "action": _action_problems, "wait": _wait_problems,
    "ask": _ask_problems, "branch": _branch_problems, "set": _set_problems,
}  # fmt: skip


def _expression_problems(path: str, text: Any) -> Iterator[Problem]:
    if not isinstance(text, str) or not text.strip():
        yield path, "Write an expression, such as record.legal_entity."
        return
    try:
        compile_expression(text)
    except ExpressionError as error:
        yield path, str(error)


def _graph_problems(steps: Sequence[dict[str, Any]]) -> Iterator[Problem]:
    names = [given["name"] for given in steps]
    for number, given in enumerate(steps):
        if given["name"] in names[:number]:
            yield f"steps.{number}.name", f"There are two steps {given['name']!r}."
        for name in given.get("after") or ():
            if name not in names:
                yield f"steps.{number}.after", f"There is no step {name!r} for {given['name']} to come after."
    found = steps_of({"steps": list(steps)})
    for number, given in enumerate(steps):
        for name in found[given["name"]].leads_to:
            if name not in found:
                yield f"steps.{number}.choose", f"There is no step {name!r} to choose."
            elif given["name"] not in found[name].after:
                yield (
                    f"steps.{number}.choose",
                    f"The step {name!r} has to come after {given['name']!r} to be chosen by it.",
                )
    if all(name in found for step in found.values() for name in step.after) and (trail := circle(found)):
        yield "steps", f"The steps wait for each other in a circle: {' → '.join(trail)}."


def circle(steps: Mapping[str, Step]) -> list[str]:
    """A circle in `after`, as names from the first to itself; empty where there is none."""
    rest = [name for name in steps if name not in order(steps)]
    if not rest:
        return []
    trail = [rest[0]]
    while True:
        following = next(name for name in steps[trail[-1]].after if name in rest)
        if following in trail:
            return [*trail[trail.index(following) :], following][::-1]
        trail.append(following)
