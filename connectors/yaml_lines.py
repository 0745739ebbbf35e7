"""YAML that remembers the line of every value, refuses doubled keys and turns nothing into dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from hub.common.errors import ConfigError

Path = tuple[str | int, ...]
MAX_CHARACTERS = 1_000_000
# An alias may be repeated; a file whose aliases expand to more values than this is an attack or a mistake.
MAX_VALUES = 200_000


class _Loader(yaml.SafeLoader):
    """Only true and false are booleans, and dates stay text."""


class _QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by the C library, ten times as fast. It has no guard against deep nesting, so it reads shipped files only."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    found = {
        letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for word in ("true", "false"):
        found.setdefault(word[0], []).append(("tag:yaml.org,2002:bool", re.compile("^(true|false)$")))
    return found


_Loader.yaml_implicit_resolvers = _QuickLoader.yaml_implicit_resolvers = _resolvers()


def read_shipped_yaml(text: str, *, where: str = "") -> tuple[Any, dict[Path, int]]:
    """As `read_yaml`, for a file that is part of the product."""
    try:
        return _read(_QuickLoader(text), where)
    except yaml.YAMLError:
        return read_yaml(text, where=where)  # whose words for it are the usual ones


def read_yaml(text: str, *, where: str = "") -> tuple[Any, dict[Path, int]]:
    """The data of a document and the line (from 1) of each path; raises ConfigError with the line."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"The file is longer than {MAX_CHARACTERS:,} characters.", where=where, fix="Split it.")
    try:
        return _read(_Loader(text), where)
    except RecursionError:
        raise ConfigError("The file is nested too deeply.", where=where, fix="Flatten it.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = (error.problem or "it cannot be read").rstrip(".")
        raise ConfigError(
            f"The file is not YAML: {problem}.", where=f"{where}:{line}", fix="Check the indent."
        ) from error
    except yaml.YAMLError as error:
        words = str(error).splitlines()[0]
        raise ConfigError(f"The file is not YAML: {words}.", where=where, fix="Remove odd characters.") from error


def _read(loader: Any, where: str) -> tuple[Any, dict[Path, int]]:
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError("The file is empty.", where=where, fix="Start with `name:` and `label:`.")
        lines = dict(_walk(node, (), where, [0]))
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Path, where: str, count: list[int]) -> Iterator[tuple[Path, int]]:
    count[0] += 1
    if count[0] > MAX_VALUES:
        raise ConfigError(f"The file holds more than {MAX_VALUES:,} values.", where=where, fix="Use fewer aliases.")
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(node, path, where, count)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*path, index), where, count)


def _walk_mapping(node: yaml.MappingNode, path: Path, where: str, count: list[int]) -> Iterator[tuple[Path, int]]:
    seen: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen and name != "<<":
            raise ConfigError(
                f"`{name}` stands here twice, first in line {seen[name]}.", where=f"{where}:{line}", fix="Remove one."
            )
        seen[name] = line
        yield from _walk(value, (*path, name), where, count)
        yield (*path, name), line
