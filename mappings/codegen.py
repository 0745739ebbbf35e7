"""The fast twin of `prepare`: plans compiled once to a Python function.

The source holds names that `emit` makes up, and texts of the rules only as string literals, written by `str.__repr__`;
constants, tables and functions are handed over as objects. Text of a user is never source.

A record is tried three ways. *Dense* reads fields as if all were there and of the expected kind, in one dict literal.
Whatever does not fit raises, and *sparse* looks at every field before it reads it. What does not fit there either goes
the careful way of `prepare`, which alone decides what a record means and words its errors. So where the fast ways return
a record, it must be the one that the plans would give; nothing else is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hub.common.records import Record
from mappings.emit import DenseReads, Emitter, Names, SparseReads, quote
from mappings.expressions import ExpressionSet
from mappings.paths import Path
from mappings.prepare import Plan

Careful = Callable[[Record, int], Any]
Fast = Callable[[Sequence[Record]], list[Any]]


def compile_plans(plans: Sequence[Plan], expressions: ExpressionSet | None, careful: Careful) -> Fast:
    """A function from records to results, in order; `careful(record, position)` gives the result where it retreats.

    Plans of expressions stand last, and `expressions` holds them in the same order.
    """
    plain = [plan for plan in plans if plan.rule.kind != "expression"]
    computed = [plan for plan in plans if plan.rule.kind == "expression"]
    sparse = Names(careful=careful, expressions=expressions)
    again = _function(sparse, _sparse_body(sparse, plain), _computed_body(sparse, computed))
    dense = Names(careful=lambda record, position: again((record,), position)[0], expressions=expressions)
    return _function(dense, _dense_body(dense, plain), _computed_body(dense, computed))


def _function(names: Names, body: list[str], computed: list[str]) -> Callable[..., list[Any]]:
    """Every record of a page through the body; names as defaults are local variables, the fastest there are."""
    defaults = ", ".join(f"{name}=names[{quote(name)}]" for name in names.objects)
    inner = "\n".join(f"            {line}" for line in [*body, *computed])
    source = (
        f"def run(records, first=0, *, {defaults}):\n"
        "    done = []\n"
        "    add = done.append\n"
        "    for r in records:\n"
        "        try:\n"
        f"{inner}\n"
        "        except Exception:\n"
        "            o = careful(r, first + len(done))\n"
        "        add(o)\n"
        "    return done\n"
    )
    scope: dict[str, Any] = {"__builtins__": {"Exception": Exception}, "names": names.objects}
    exec(compile(source, "<mapping>", "exec"), scope)
    run: Callable[..., list[Any]] = scope["run"]
    return run


def _dense_body(names: Names, plans: Sequence[Plan]) -> list[str]:
    """All values in one nested dict literal."""
    reads = DenseReads(names)
    emitter = Emitter(names, reads)
    tree: dict[str, Any] = {}
    for plan in plans:
        branch = tree
        for step in plan.target[:-1]:
            branch = branch.setdefault(step, {})
        branch[plan.target[-1]] = _Source(emitter.value(plan))
    return [*reads.lines, *emitter.lines, f"o = {_literal(tree)}"]


def _sparse_body(names: Names, plans: Sequence[Plan]) -> list[str]:
    """One field after the other; what is missing is asked before a value is computed."""
    reads, fields = SparseReads(names), ["o = {}"]
    for plan in plans:
        emitter = Emitter(names, reads)
        value = f"{_place(plan.target)} = {emitter.value(plan)}"
        sources = plan.template.paths if plan.template else (plan.source,) if plan.source else ()
        if not sources:
            fields.append(value)
            continue
        anything_missing = " or ".join(f"{reads.leaf(path)} is MISSING" for path in sources)
        fields += [
            f"if {anything_missing}:",
            *_indent(_missing(names, plan)),
            "else:",
            *_indent([*emitter.lines, value]),
        ]
    return [*reads.lines, *fields]


def _missing(names: Names, plan: Plan) -> list[str]:
    """What happens when the source of a field is missing, in the plan's own words."""
    if plan.rule.on_missing == "omit" and not plan.fills_missing:
        return ["pass"]
    run = names.name(plan.run)
    return [f"w = {run}(r)", f"if w is not MISSING: {_place(plan.target)} = w"]


def _computed_body(names: Names, plans: Sequence[Plan]) -> list[str]:
    """Expressions often have no result, so they are placed one by one; all are evaluated in one pass."""
    lines = ["e = expressions.evaluate(r)"] if plans else []
    for number, plan in enumerate(plans):
        finish, missing = names.name(plan.finish), names.name(plan.missing)
        lines += [
            f"w = e.get({quote(str(number))}, MISSING)",
            f"w = {missing}() if w is MISSING else {finish}(w, r)",
            f"if w is not MISSING: {_place(plan.target)} = w",
        ]
    return lines


def _place(target: Path) -> str:
    objects = "".join(f".setdefault({quote(step)}, {{}})" for step in target[:-1])
    return f"o{objects}[{quote(target[-1])}]"


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class _Source(str):
    """Source of one value, told apart from a branch of the tree."""

    __slots__ = ()


def _literal(tree: dict[str, Any]) -> str:
    items = (f"{quote(key)}: {inner if isinstance(inner, _Source) else _literal(inner)}" for key, inner in tree.items())
    return f"{{{', '.join(items)}}}"
