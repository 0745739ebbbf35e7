"""Source of the value of one field, over names made up here; see `codegen` for what the whole function may contain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub.common.errors import HubError
from hub.common.money import EXACT, MAX_DIGITS, parse_decimal
from mappings.convert import Cast, to_text
from mappings.functions import Bound, FieldRef
from mappings.paths import MISSING, Path, is_index
from mappings.prepare import Plan, fresh
from mappings.rules import FieldRule
from mappings.templates import Template

MEMO_SIZE = 4096
MEMO_KEY_LENGTH = 64
# The separators of 2026-03-31T09:30:00Z, at every third character from the fifth.
_INSTANT_SEPARATORS = "--T::Z"


def quote(text: str) -> str:
    """A text as a Python literal, whatever class it says to be."""
    return str.__repr__(text)


def retreat() -> Any:
    """Leave the fast way for this record."""
    raise LookupError


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


class Names:
    """Objects by made-up name, as the function will find them."""

    def __init__(self, **given: Any) -> None:
        self.objects: dict[str, Any] = {
            "len": len,
            "type": type,
            "str": str,
            "int": int,
            "bool": bool,
            "list": list,
            "dict": dict,
            "exact_multiply": EXACT.multiply,
            "exact_add": EXACT.add,
            "exact_subtract": EXACT.subtract,
            "number": parse_decimal,
            "numbers": Memo(parse_decimal),
            "retreat": retreat,
            "MISSING": MISSING,
            **given,
        }
        self._count = 0

    def name(self, value: Any) -> str:
        self._count += 1
        name = f"k{self._count}"
        self.objects[name] = value
        return name

    def variable(self) -> str:
        self._count += 1
        return f"t{self._count}"


class DenseReads:
    """Fields read as if they were all there; a parent is read once for all fields below it."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.lines: list[str] = []
        self._parents: dict[Path, str] = {(): "r"}

    def leaf(self, path: Path) -> str:
        """An expression for the content of a path; it raises when there is none."""
        return self._step(self._parent(path[:-1]), path[-1])

    def field(self, path: Path) -> str:
        """The same for a field that a conversion reads besides its value."""
        return self.leaf(path)

    def _parent(self, path: Path) -> str:
        if path not in self._parents:
            read = self._step(self._parent(path[:-1]), path[-1])
            self._parents[path] = self.names.variable()
            self.lines.append(f"{self._parents[path]} = {read}")
        return self._parents[path]

    def _step(self, parent: str, step: str) -> str:
        if is_index(step):
            return f"({parent} if type({parent}) is list else retreat())[{int(step)}]"
        return f"{parent}[{quote(step)}]"


class SparseReads:
    """Fields read one step at a time into variables that are MISSING or None where `read_path` would say so."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.lines: list[str] = []
        self._known: dict[Path, str] = {(): "r"}
        self._below = names.name(_below)
        self._item = names.name(_item)

    def leaf(self, path: Path) -> str:
        """The variable that holds the content of a path."""
        if path not in self._known:
            parent, variable = self.leaf(path[:-1]), self.names.variable()
            self._known[path] = variable
            self.lines.append(f"{variable} = {self._step(parent, path[-1])}")
        return self._known[path]

    def field(self, path: Path) -> str:
        """The content, with None for MISSING: what a conversion gets for a field that it reads besides its value."""
        variable = self.leaf(path)
        return f"(None if {variable} is MISSING else {variable})"

    def _step(self, parent: str, step: str) -> str:
        other = f"{self._item}({parent}, {int(step)})" if is_index(step) else f"{self._below}({parent})"
        return f"{parent}.get({quote(step)}, MISSING) if type({parent}) is dict else {other}"


def _below(parent: Any) -> Any:
    return parent if parent is None or parent is MISSING else retreat()


def _item(parent: Any, at: int) -> Any:
    if type(parent) is list:
        return parent[at] if at < len(parent) else MISSING
    return _below(parent)


class Emitter:
    """Statements and expressions for values; `lines` collects the statements that stand before the expression."""

    def __init__(self, names: Names, reads: DenseReads | SparseReads) -> None:
        self.names, self.reads = names, reads
        self.lines: list[str] = []

    def value(self, plan: Plan) -> str:
        """The expression of a field that is not filled by a JSONata expression."""
        if plan.rule.kind == "constant":
            constant = plan.finish(None, {})
            name = self.names.name(constant)
            return f"{self.names.name(fresh)}({name})" if isinstance(constant, dict | list) else name
        if plan.template is not None:
            return self._template(plan, plan.template)
        if not plan.is_pure or first_takes(plan) == "list":
            return self._steps(plan, self.reads.leaf(plan.source))
        return self._pure(plan, self.reads.leaf(plan.source))

    def _template(self, plan: Plan, template: Template) -> str:
        """An f-string over variables alone: a text of the rule would be source if it stood in it."""
        text, pieces = self.names.name(_template_text), []
        for part in template.parts:
            piece = self.names.name(part) if isinstance(part, str) else self.names.variable()
            if not isinstance(part, str):
                self.lines.append(f"{piece} = v if type(v := {self.reads.leaf(part)}) is str else {text}(v)")
            pieces.append(f"{{{piece}}}")
        joined = f"f'{''.join(pieces)}'"
        return joined if plan.rule.type == "string" and not plan.rule.convert else self._steps(plan, joined)

    # --- chains that read other fields, or lists

    def _steps(self, plan: Plan, read: str) -> str:
        """Step by step as statements; the value is left in a variable."""
        value, is_number = self.names.variable(), False
        self.lines.append(f"{value} = {read}")
        for step in plan.steps:
            if step.bound and _can_be_inline(step.bound):
                self._inline_step(value, step.bound, is_number)
                is_number = step.bound.function.gives == "number"
            else:
                call = _decimal_writer(plan.rule) if step.name == "decimal" else step.call
                fields = "".join(f", {self._field(ref)}" for ref in step.fields)
                self.lines.append(f"{value} = {self.names.name(call)}({value}{fields})")
                is_number = False
        return value

    def _field(self, ref: FieldRef) -> str:
        contents = [self.reads.field(path) for path in ref.paths]
        if ref.is_many:
            return f"({''.join(f'{content}, ' for content in contents)})"
        return contents[0] if contents else "None"

    def _inline_step(self, value: str, bound: Bound, is_number: bool) -> None:
        """A step as an expression over variables; numbers are made decimals first."""
        takes_number = bound.function.takes == "number"
        if takes_number and not is_number:
            self.lines.append(f"{value} = {_number(value)}")
        parts = {"v": value, **{name: self.names.name(each) for name, each in bound.constants.items()}}
        names = (arg.name for arg in bound.function.args if arg.kind == "path")
        for name, ref in zip(names, bound.fields, strict=True):
            parts[name] = self.names.variable()
            self.lines.append(f"{parts[name]} = {self._field(ref)}")
            if takes_number:
                self.lines.append(f"{parts[name]} = {_number(parts[name])}")
        self.lines.append(f"{value} = {_fill(bound.function.inline, parts)}")

    # --- chains that depend on the value alone

    def _pure(self, plan: Plan, leaf: str) -> str:
        """In line where it can be, by memo where it cannot, by the plan's own steps for values of another class."""
        finish = self.names.name(plan.finish)
        if plan.rule.type == "boolean" or first_takes(plan) == "boolean":
            return self._boolean(plan, leaf, finish)
        text = self._text_case(plan)
        if text is None:
            return f"{finish}({leaf}, r)"
        condition, result, memo = text
        number = f"{memo}[v] if type(v) is int else " if memo else ""
        return f"({result} if type(v := {leaf}) is str{condition} else {self._null_case(plan)}{number}{finish}(v, r))"

    def _null_case(self, plan: Plan) -> str:
        known = _known(plan, None)
        return f"{self.names.name(known[0])} if v is None else " if known else ""

    def _boolean(self, plan: Plan, leaf: str, finish: str) -> str:
        known = _known(plan, True, False)
        if known is None:
            return f"{finish}({leaf}, r)"
        result = (
            "v"
            if known[0] is True and known[1] is False
            else f"({self.names.name(known[0])} if v else {self.names.name(known[1])})"
        )
        return f"({result} if type(v := {leaf}) is bool else {self._null_case(plan)}{finish}(v, r))"

    def _text_case(self, plan: Plan) -> tuple[str, str, str] | None:
        """For a text `v`: a further condition, the result, and the name of the memo if there is one."""
        if plan.rule.type == "json" and plan.rule.kind == "direct":
            return ("", "v", "") if len(plan.steps) == 1 else None
        inline = self._inline(plan)
        if inline is not None:
            return "", inline, ""
        if len(plan.steps) == 1 and plan.rule.type == "datetime":
            read = self.names.name(datetime.fromisoformat)
            return f" and v[4::3] == {quote(_INSTANT_SEPARATORS)} and {read}(v)", "v", ""
        memo = self.names.name(Memo(lambda value: plan.finish(value, {})))
        return "", f"{memo}[v]", memo

    def _inline(self, plan: Plan) -> str | None:
        """The chain as one expression over a text, when every step can be written so and the result is a text."""
        if plan.rule.type != "string" or plan.rule.kind == "value_map":
            return None
        expression = "v"
        for bound in (step.bound for step in plan.steps if step.bound):
            if not bound.function.inline or not all(type(each) is str for each in bound.constants.values()):
                return None
            constants = {name: self.names.name(value) for name, value in bound.constants.items()}
            expression = _fill(bound.function.inline, {"v": expression, **constants})
        return f"({expression}.strip() or None)" if plan.rule.kind == "reference" else expression


def first_takes(plan: Plan) -> str:
    """What the first conversion of a chain takes; empty when there is none."""
    first = plan.steps[0].bound
    return first.function.takes if first else ""


def _known(plan: Plan, *values: Any) -> list[Any] | None:
    """The results for values known beforehand, unless one fails or must be a fresh object for each record."""
    try:
        results = [plan.finish(value, {}) for value in values]
    except HubError:
        return None
    return None if any(isinstance(result, dict | list) for result in results) else results


def _can_be_inline(bound: Bound) -> bool:
    """Whether a step over a list or with other fields has an expression for exactly these arguments."""
    if not bound.function.inline:
        return False
    if bound.function.takes == "list":
        return () in bound.constants.values()
    return bool(bound.fields) and all(ref.paths and not ref.is_many for ref in bound.fields)


def _fill(inline: str, parts: Mapping[str, str]) -> str:
    """The expression of a conversion with its made-up names put in."""
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], inline)


def _number(variable: str) -> str:
    return f"(numbers[{variable}] if type({variable}) is str else number({variable}))"


def _decimal_writer(rule: FieldRule) -> Callable[[Any], Any]:
    """`Cast` for a value that is a decimal already, and the cast itself for any other."""
    cast = Cast("decimal", rule.digits, rule.rounding, UTC).function()
    texts = Memo(cast)
    point = slice(-1 - rule.digits, -rule.digits) if rule.digits else None

    def write(value: Any) -> Any:
        if type(value) is Decimal and point is not None:
            text = str(value)
            if text[point] == "." and len(text) < MAX_DIGITS and "E" not in text and (value or text[0] != "-"):
                return text  # it has just these decimals already
        return texts[value] if type(value) is str else cast(value)

    return write


def _template_text(value: Any) -> str:
    return to_text(value) or ""
