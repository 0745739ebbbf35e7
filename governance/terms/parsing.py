"""Reading a term's expression.

sum(hours) of time_entry where status = "approved" and date in period
sum(hours * bill_rate) of time_entry where billing_status in ("unbilled", "ready") and invoice is blank
count() of project where status = "active" / count() of project

expression  product (("+" | "-") product)*
product     part (("*" | "/") part)*
part        number | "(" expression ")" | aggregate
aggregate   ("sum" | "avg" | "count" | "distinct") "(" [value] ")" ["of" entity] ["where" condition]
condition   both ("or" both)*        both  single ("and" single)*
single      "not" single | "(" condition ")" | field test
test        ("=" | "!=" | "<" | "<=" | ">" | ">=") literal | ["not"] "in" (literals | "period") | "is" ["not"] "blank"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from governance.terms.syntax import (
    Aggregate,
    Blank,
    Both,
    Compare,
    Computed,
    Condition,
    FieldName,
    InPeriod,
    Node,
    Not,
    Number,
    OneOf,
    Place,
    Scalar,
    TermError,
    aggregates_of,
)

AGGREGATES = ("sum", "avg", "count", "distinct")
MAX_LENGTH = 4_000
MAX_DEPTH = 40
EXAMPLE = 'Write it like sum(hours) of time_entry where status = "approved".'
_TOKENS = re.compile(
    r"""\s+|(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"]*"|'[^']*')|(?P<quoted>`[^`]+`)"""
    r"""|(?P<word>[^\W\d][\w.]*)|(?P<sign>!=|<=|>=|[=<>+\-*/(),])"""
)
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # number, text, quoted, word, sign or end
    text: str
    place: Place

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"“{self.text}”"


def parse(text: str, *, of_stream: bool = False) -> Node:
    """The expression that a text says. TermError names the place; `of_stream` for one that reads a single stream."""
    if len(text) > MAX_LENGTH:
        raise TermError(f"The expression has more than {MAX_LENGTH:,} characters.")
    found = _Parser(_tokens(text), of_stream).whole()
    if next(aggregates_of(found), None) is None:
        raise TermError("The expression asks for nothing: it holds only numbers.", fix=EXAMPLE)
    return found


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        place = _place(text, at)
        if match is None:
            raise place.error(f"“{text[at]}” cannot stand here.", EXAMPLE)
        if match.lastgroup:
            found.append(Token(match.lastgroup, match[0], place))
        at = match.end()
    return [*found, Token("end", "", _place(text, len(text.rstrip())))]


def _place(text: str, at: int) -> Place:
    before = text[:at]
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Parser:
    def __init__(self, tokens: Sequence[Token], of_stream: bool) -> None:
        self.tokens, self.of_stream = tokens, of_stream
        self.at = self.depth = 0

    def whole(self) -> Node:
        found = self._sum(self._part)
        if self._now.kind != "end":
            raise self._now.place.error(f"{self._now} cannot follow here.", "Join two numbers with +, -, * or /.")
        return found

    # --- tokens ----------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> Token:
        return self.tokens[self.at]

    def _take(self) -> Token:
        token = self._now
        self.at += token.kind != "end"
        return token

    def _is(self, *texts: str) -> bool:
        return self._now.kind in ("word", "sign") and self._now.text in texts

    def _accept(self, *texts: str) -> str:
        return self._take().text if self._is(*texts) else ""

    def _expect(self, text: str, why: str) -> None:
        if not self._accept(text):
            raise self._now.place.error(f"“{text}” is missing before {self._now}: {why}.")

    def _deeper(self, read: Callable[[], Any]) -> Any:
        """What stands in brackets; a text of nothing but brackets must not exhaust the stack."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._now.place.error(f"Brackets are nested more than {MAX_DEPTH} deep.")
        found = read()
        self._expect(")", "a bracket was opened and not closed")
        self.depth -= 1
        return found

    # --- arithmetic ------------------------------------------------------------------------------------------------

    def _sum(self, part: Callable[[], Node]) -> Node:
        return self._chain(lambda: self._chain(part, "*", "/"), "+", "-")

    def _chain(self, part: Callable[[], Node], *signs: str) -> Node:
        found = part()
        while sign := self._accept(*signs):
            found = Computed(sign, found, part())  # type: ignore[arg-type]
        return found

    def _part(self) -> Node:
        if self._now.kind == "number":
            return Number(Decimal(self._take().text))
        if self._accept("("):
            found: Node = self._deeper(lambda: self._sum(self._part))
            return found
        return self._aggregate()

    def _aggregate(self) -> Aggregate:
        token = self._take()
        if token.kind != "word" or token.text not in AGGREGATES:
            raise token.place.error(f"sum, avg, count or distinct is expected, not {token}.", EXAMPLE)
        self._expect("(", f"the field follows {token.text} in brackets")
        value = self._deeper(lambda: None if self._is(")") else self._sum(self._value))
        self._check_value(token, value)
        entity = self._entity(token)
        where = self._either() if self._accept("where") else None
        return Aggregate(token.text, value, entity, where, token.place)  # type: ignore[arg-type]

    def _check_value(self, token: Token, value: Node | None) -> None:
        if value is None and token.text != "count":
            raise token.place.error(f"{token.text} needs a field.", f"Write {token.text}(hours), for example.")
        if token.text in ("count", "distinct") and not isinstance(value, FieldName | None):
            raise token.place.error(f"{token.text} takes one field and no arithmetic.")

    def _entity(self, token: Token) -> str:
        given = bool(self._accept("of"))
        if given and self.of_stream:
            raise token.place.error("A stream is read as it is: leave out “of”.", "Write sum(hours) where … alone.")
        if not given and not self.of_stream:
            raise self._now.place.error(f"It is not said of what {token.text} is taken.", EXAMPLE)
        return self._name("an entity").name if given else ""

    def _value(self) -> Node:
        if self._now.kind == "number":
            return Number(Decimal(self._take().text))
        if self._accept("("):
            found: Node = self._deeper(lambda: self._sum(self._value))
            return found
        return self._name("a field")

    def _name(self, what: str) -> FieldName:
        token = self._take()
        if token.kind not in ("word", "quoted"):
            raise token.place.error(f"The name of {what} is expected, not {token}.")
        return FieldName(token.text.strip("`"), token.place)

    # --- conditions ------------------------------------------------------------------------------------------------

    def _either(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self._single))

    def _joined(self, word: Any, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._accept(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def _single(self) -> Condition:
        if self._accept("not"):
            return Not(self._deeper(self._either) if self._accept("(") else self._test())
        if self._accept("("):
            found: Condition = self._deeper(self._either)
            return found
        return self._test()

    def _test(self) -> Condition:
        field = self._name("a field")
        if sign := self._accept(*_COMPARISONS):
            return self._compare(field, sign)
        if self._accept("is"):
            negated = bool(self._accept("not"))
            self._expect("blank", "after “is” comes “blank” or “not blank”")
            return Not(Blank(field)) if negated else Blank(field)
        negated = bool(self._accept("not"))
        if not self._accept("in"):
            raise self._now.place.error(
                f"A comparison is expected after {field.name}, not {self._now}.",
                'Write status = "approved", status in ("a", "b"), date in period, or invoice is blank.',
            )
        found = self._in(field)
        return Not(found) if negated else found

    def _compare(self, field: FieldName, sign: str) -> Condition:
        place, value = self._now.place, self._literal()
        if isinstance(value, bool) and sign not in ("=", "!="):
            raise place.error(f"true and false are equal or not; “{sign}” does not fit.")
        return Compare(field, sign, value)  # type: ignore[arg-type]

    def _in(self, field: FieldName) -> Condition:
        if self._accept("period"):
            return InPeriod(field)
        self._expect("(", "after “in” comes a list in brackets, or “period”")
        return OneOf(field, self._deeper(self._literals))

    def _literals(self) -> tuple[Scalar, ...]:
        found = [self._literal()]
        while self._accept(","):
            found.append(self._literal())
        return tuple(found)

    def _literal(self) -> Scalar:
        negative = bool(self._accept("-"))
        token = self._take()
        if token.kind == "number":
            return -Decimal(token.text) if negative else Decimal(token.text)
        if not negative and token.kind == "text":
            return token.text[1:-1]
        if not negative and token.kind == "word" and token.text in ("true", "false"):
            return token.text == "true"
        raise token.place.error(f"A value is expected, not {token}.", 'Put texts in quotes, such as "approved".')
