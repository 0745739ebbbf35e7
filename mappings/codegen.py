"""The fast twin of `prepare`: plans compiled once to a Python function.

The source holds names that this module makes up, and texts of the rules only as string literals, written by
`str.__repr__`; constants, tables and functions are handed over as objects. Text of a user is never source.

The function is optimistic: it reads fields as if all were there and of the expected type. Whatever does not fit raises,
and the record goes the careful way of `prepare` instead, which alone decides what it means. So where the fast function
returns a record, it must be the one that the plans would give; nothing else is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from hub.common.errors import HubError
from hub.common.records import Record
from mappings.convert import to_text
from mappings.expressions import ExpressionSet
from mappings.functions import FieldRef
from mappings.paths import MISSING, Path, is_index
from mappings.prepare import Plan, fresh

Careful = Callable[[Record, int], Any]
Fast = Callable[[Sequence[Record]], list[Any]]

MEMO_SIZE = 4096
MEMO_KEY_LENGTH = 64


class Memo(dict[Any, Any]):
    """Results of a pure chain by value, str or int only. Forgets everything when full and never keeps long texts."""

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        super().__init__()
        self.compute = compute

    def __missing__(self, key: Any) -> Any:
        result = self.compute(key)
        if type(key) is int or len(key) <= MEMO_KEY_LENGTH:
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[key] = result
        return result


def compile_plans(plans: Sequence[Plan], expressions: ExpressionSet | None, careful: Careful) -> Fast:
    """A function from records to results, in order; `careful(record, position)` gives the result where it retreats."""
    code = _Code()
    for plan in plans:
        if plan.rule.kind != "expression":
            code.add_field(plan)
    number = 0
    for plan in plans:
        if plan.rule.kind == "expression":
            code.add_expression(plan, number)
            number += 1
    source = code.source(has_expressions=expressions is not None)
    names = {**code.names, "careful": careful, "expressions": expressions, "MISSING": MISSING}
    names["__builtins__"] = {
        "Exception": Exception,
        "len": len,
        "type": type,
        "str": str,
        "int": int,
        "bool": bool,
        "list": list,
    }
    exec(compile(source, "<mapping>", "exec"), names)
    result: Fast = names["run"]
    return result


def _quote(text: str) -> str:
    return str.__repr__(text)


class _Code:
    """Statements and one nested dict literal, over a record `r`."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"retreat": _retreat}
        self.before: list[str] = []
        self.after: list[str] = []
        self.tree: dict[str, Any] = {}
        self._parents: dict[Path, str] = {(): "r"}
        self._count = 0

    # --- names and paths

    def name(self, value: Any) -> str:
        """A made-up name under which the function finds an object."""
        self._count += 1
        name = f"k{self._count}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def leaf(self, path: Path) -> str:
        """An expression that reads a path; parents are read once for all fields below them."""
        return self._step(self._parent(path[:-1]), path[-1])

    def _parent(self, path: Path) -> str:
        if path not in self._parents:
            read = self._step(self._parent(path[:-1]), path[-1])
            variable = self.variable()
            self.before.append(f"{variable} = {read}")
            self._parents[path] = variable
        return self._parents[path]

    def _step(self, parent: str, step: str) -> str:
        if is_index(step):
            return f"({parent} if type({parent}) is list else retreat())[{int(step)}]"
        return f"{parent}[{_quote(step)}]"

    def field(self, ref: FieldRef) -> str:
        """What a conversion gets for a field that it names."""
        leaves = [self.leaf(path) for path in ref.paths]
        if ref.is_many:
            return f"({''.join(f'{leaf}, ' for leaf in leaves)})"
        return leaves[0] if leaves else "None"

    # --- fields

    def add_field(self, plan: Plan) -> None:
        branch = self.tree
        for step in plan.target[:-1]:
            branch = branch.setdefault(step, {})
        branch[plan.target[-1]] = _Leaf(self._value(plan))

    def _value(self, plan: Plan) -> str:
        if plan.rule.kind == "constant":
            constant = plan.finish(None, {})
            return (
                f"{self.name(fresh)}({self.name(constant)})"
                if isinstance(constant, dict | list)
                else self.name(constant)
            )
        if plan.template is not None:
            return self._template(plan)
        if not plan.is_pure:
            return self._steps(plan, self.leaf(plan.source))
        return _pure_value(self, plan)

    def _template(self, plan: Plan) -> str:
        text = self.name(_template_text)
        pieces = [
            _quote(part) if isinstance(part, str) else f"(v if type(v := {self.leaf(part)}) is str else {text}(v))"
            for part in plan.template.parts  # type: ignore[union-attr]
        ]
        joined = " + ".join(pieces) or "''"
        if len(plan.steps) == 1 and plan.rule.type == "string":
            return joined
        return self._steps(plan, joined)

    def _steps(self, plan: Plan, read: str) -> str:
        """Step by step as statements; the value is left in a variable."""
        variable = self.variable()
        self.before.append(f"{variable} = {read}")
        for step in plan.steps:
            fields = "".join(f", {self.field(ref)}" for ref in step.fields)
            self.before.append(f"{variable} = {self.name(step.call)}({variable}{fields})")
        return variable

    def add_expression(self, plan: Plan, number: int) -> None:
        """Expressions have no result for some records as a rule, so they are placed one by one behind the literal."""
        value, finish, missing = self.variable(), self.name(plan.finish), self.name(plan.missing)
        place = "o"
        for step in plan.target[:-1]:
            place += f".setdefault({_quote(step)}, {{}})"
        self.after += [
            f"{value} = e.get({_quote(str(number))}, MISSING)",
            f"{value} = {missing}() if {value} is MISSING else {finish}({value}, r)",
            f"if {value} is not MISSING: {place}[{_quote(plan.target[-1])}] = {value}",
        ]

    # --- the function

    def source(self, *, has_expressions: bool) -> str:
        evaluate = ["e = expressions.evaluate(r)"] if has_expressions else []
        body = [*evaluate, *self.before, f"o = {_literal(self.tree)}", *self.after]
        inner = "\n".join(f"            {line}" for line in body)
        return (
            "def run(records):\n"
            "    done = []\n"
            "    add = done.append\n"
            "    for r in records:\n"
            "        try:\n"
            f"{inner}\n"
            "        except Exception:\n"
            "            o = careful(r, len(done))\n"
            "        add(o)\n"
            "    return done\n"
        )


class _Leaf(str):
    """Source of one value, told apart from a branch of the tree."""

    __slots__ = ()


def _literal(tree: dict[str, Any]) -> str:
    items = (f"{_quote(key)}: {inner if isinstance(inner, _Leaf) else _literal(inner)}" for key, inner in tree.items())
    return f"{{{', '.join(items)}}}"


def _retreat() -> Any:
    raise LookupError


def _template_text(value: Any) -> str:
    return to_text(value) or ""


# --- pure chains ----------------------------------------------------------------------------------------------------

_INSTANT_SEPARATORS = "--T::Z"


def _pure_value(code: _Code, plan: Plan) -> str:
    """An expression whose result depends on the value alone: in line where it can be, by memo where it cannot."""
    leaf, finish = code.leaf(plan.source), code.name(plan.finish)
    careful = f"{finish}(v, r)"
    is_null = _null_case(code, plan)
    if plan.rule.type == "boolean" or _takes(plan) == "boolean":
        return _boolean_value(code, plan, leaf, is_null, careful)
    text = _text_case(code, plan)
    if text is None:
        return f"{finish}({leaf}, r)"
    condition, result, memo = text
    number = f"{memo}[v] if type(v) is int else " if memo else ""
    return f"({result} if type(v := {leaf}) is str{condition} else {is_null}{number}{careful})"


def _takes(plan: Plan) -> str:
    first = plan.steps[0].bound
    return first.function.takes if first else ""


def _known(plan: Plan, *values: Any) -> list[Any] | None:
    """The results for values known beforehand, unless one fails or must be a fresh object for each record."""
    try:
        results = [plan.finish(value, {}) for value in values]
    except HubError:
        return None
    return None if any(isinstance(result, dict | list) for result in results) else results


def _null_case(code: _Code, plan: Plan) -> str:
    known = _known(plan, None)
    return f"{code.name(known[0])} if v is None else " if known else ""


def _boolean_value(code: _Code, plan: Plan, leaf: str, is_null: str, careful: str) -> str:
    known = _known(plan, True, False)
    if known is None:
        return f"{code.name(plan.finish)}({leaf}, r)"
    table = dict(zip((True, False), known, strict=True))
    result = "v" if table[True] is True and table[False] is False else f"{code.name(table)}[v]"
    return f"({result} if type(v := {leaf}) is bool else {is_null}{careful})"


def _text_case(code: _Code, plan: Plan) -> tuple[str, str, str] | None:
    """For a text `v`: a further condition, the result, and the name of the memo if there is one."""
    if plan.rule.type == "json" and plan.rule.kind == "direct":
        return ("", "v", "") if len(plan.steps) == 1 else None
    inline = _inline(code, plan)
    if inline is not None:
        return "", inline, ""
    if len(plan.steps) == 1 and plan.rule.type == "datetime":
        return f" and v[4::3] == {_quote(_INSTANT_SEPARATORS)} and {code.name(datetime.fromisoformat)}(v)", "v", ""
    memo = code.name(Memo(lambda value: plan.finish(value, {})))
    return "", f"{memo}[v]", memo


def _inline(code: _Code, plan: Plan) -> str | None:
    """The chain as one expression over a text, when every step can be written so and the result is a text."""
    if plan.rule.type != "string" or plan.rule.kind == "value_map":
        return None
    expression = "v"
    for step in plan.steps[:-1]:
        bound = step.bound
        if (
            bound is None
            or not bound.function.inline
            or not all(type(each) is str for each in bound.constants.values())
        ):
            return None
        expression = bound.function.inline.replace("{v}", expression)
        for name, value in bound.constants.items():
            expression = expression.replace(f"{{{name}}}", code.name(value))
    return f"({expression}.strip() or None)" if plan.rule.kind == "reference" else expression
