"""Why somebody did something: a person's words, as they are kept."""

from __future__ import annotations

from hub.common.errors import ConfigError

MAX_REASON = 500


def tidy(text: str) -> str:
    """The words without NUL, without blanks around them, and not longer than is kept."""
    return text.replace("\x00", "").strip()[:MAX_REASON]


def needed(text: str, sentence: str, *, where: str = "") -> str:
    """The same; raises ConfigError with `sentence` when nothing was said."""
    words = tidy(text)
    if not words:
        raise ConfigError(sentence, where=where, code="NEEDED")
    return words
