"""Texts with fields in them: `{project.code} / {task}`. A brace meant as a brace is written twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.common.errors import ConfigError
from mappings.paths import Path, parse_path

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


@dataclass(frozen=True, slots=True)
class Template:
    """Parts in order: plain text, or the path of a field."""

    parts: tuple[str | Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The fields that the template reads, in order."""
        return tuple(part for part in self.parts if not isinstance(part, str))


def parse_template(text: str) -> Template:
    """ConfigError for a brace without its partner and for an empty field."""
    parts: list[str | Path] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match[1] is not None:
            parts.append(parse_path(match[1].strip()))
        elif token in "{}":
            raise ConfigError(
                f"The template has a lone {token} at column {match.start() + 1}.",
                fix="Write {field} for a field and {{ or }} for a brace.",
            )
        else:
            _append_text(parts, token[0] if token in ("{{", "}}") else token)
    return Template(tuple(parts))


def _append_text(parts: list[str | Path], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)
