"""What the query languages of CRM and ERP share: words in a row, and conditions joined by and, or, not and brackets."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from connectors.simulators.messages import parse_instant

Row = dict[str, Any]
Test = Callable[[Row], bool]
Token = tuple[str, str]  # (group of the pattern, text)


class ConditionParser(ABC):
    """Reads tokens one by one; a subclass knows the words, the literals and a single comparison."""

    pattern: ClassVar[re.Pattern[str]]
    and_word: ClassVar[str] = "and"
    or_word: ClassVar[str] = "or"
    not_word: ClassVar[str] = "not"

    def __init__(self, text: str) -> None:
        self._tokens: list[Token] = []
        self._position = 0
        position, text = 0, text.strip()
        while position < len(text):
            match = self.pattern.match(text, position)
            if not match or match.lastgroup is None:
                raise self.failure(f"unexpected token: '{text[position:].split()[0]}'")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    @abstractmethod
    def failure(self, message: str) -> Exception:
        """The error to raise for a text that cannot be read."""

    @abstractmethod
    def comparison(self) -> Test:
        """One comparison, the next tokens of the text."""

    def folded(self, text: str) -> str:
        """How a word is written for comparison with a keyword."""
        return text

    def conditions(self) -> Test:
        tests = [self._all()]
        while self.take(self.or_word):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self.take(self.and_word):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self.take(self.not_word):
            inner = self._one()
            return lambda row: not inner(row)
        if self.take("("):
            test = self.conditions()
            self.expect(")")
            return test
        return self.comparison()

    def listed(self, value: Callable[[], Any]) -> list[Any]:
        """Values in brackets with commas between them; `value` reads one."""
        self.expect("(")
        values = [value()]
        while self.take(","):
            values.append(value())
        self.expect(")")
        return values

    def order(self, column: Callable[[], str]) -> tuple[tuple[str, bool], ...]:
        """What follows ORDER: (column, is descending) for each; `column` reads one."""
        self.expect("BY")
        found = [self._ordering(column)]
        while self.take(","):
            found.append(self._ordering(column))
        return tuple(found)

    def _ordering(self, column: Callable[[], str]) -> tuple[str, bool]:
        name = column()
        descending = self.take("DESC")
        if not descending:
            self.take("ASC")
        return name, descending

    def next(self) -> Token:
        if self._position >= len(self._tokens):
            raise self.failure("unexpected end of the text")
        self._position += 1
        return self._tokens[self._position - 1]

    def take(self, word: str) -> bool:
        """Step over `word` if it comes next."""
        if self._position < len(self._tokens) and self.folded(self._tokens[self._position][1]) == word:
            self._position += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.take(word):
            found = self._tokens[self._position][1] if self._position < len(self._tokens) else "the end"
            raise self.failure(f"expecting {word}, found '{found}'")

    def end(self) -> None:
        if self._position < len(self._tokens):
            raise self.failure(f"unexpected token: '{self._tokens[self._position][1]}'")


def ordered(value: Any, literal: Any) -> tuple[Any, Any] | None:
    """Both sides of < and >: None when one is empty; raises TypeError when they cannot be compared."""
    value = aligned(value, literal)
    if value is None or literal is None:
        return None
    if isinstance(value, str) is not isinstance(literal, str):
        raise TypeError("incompatible types")
    return value, literal


def aligned(value: Any, literal: Any) -> Any:
    """A stored instant is text; against an instant it is compared as one."""
    return parse_instant(value) if isinstance(literal, datetime) and isinstance(value, str) else value
