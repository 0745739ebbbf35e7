"""From the bytes of a file to plain data, within bounds of time and memory, whoever wrote the file."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from hub.common.errors import ConfigError
from hub.common.schema_bounds import MAX_DEPTH, MAX_VALUES, size_error

MAX_BYTES = 8 * 1024 * 1024
# libyaml reads ten times faster than Python does; both know only plain values.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FAST):  # type: ignore[misc, valid-type]
    """Dates stay text; a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: str(loader.construct_scalar(node)))


def read(data: bytes, *, where: str) -> dict[str, Any]:
    """The one document of a JSON or YAML file. Raises ConfigError that says what is wrong and where."""
    if len(data) > MAX_BYTES:
        raise _refused(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB.", where, "Split the contract.")
    text = _text(data, where)
    found = _json(text, where) if text.lstrip()[:1] == "{" else _yaml(text, where)
    if error := size_error(found):
        raise _refused(error[1], f"{where}: {error[0]}".rstrip(": "))
    if not isinstance(found, dict):
        raise _refused("The file holds no contract: it is not a mapping of names to values.", where)
    return found


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused("The file is not UTF-8.", f"{where}:{line}", "Save it as UTF-8.") from None
    if "\0" in text:
        raise _refused("The file holds zero bytes, as UTF-16 does.", where, "Save it as UTF-8.")
    return text


def _json(text: str, where: str) -> Any:
    """JSON, or YAML in its braces."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _yaml(text, where)


def _yaml(text: str, where: str) -> Any:
    try:
        _bound_events(text, where)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _bound_values(node, where)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = (error.problem or error.context or "it cannot be read").rstrip(".")
        raise _refused(
            f"The file is neither JSON nor YAML: {words}.", f"{where}:{mark.line + 1 if mark else 1}"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _refused(f"The file is neither JSON nor YAML: {str(error).splitlines()[0]}.", where) from None


def _bound_events(text: str, where: str) -> None:
    """Depth and length of the file as it is written, before anything is built that deep."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_FAST):
        count += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _refused(f"The file is nested more than {MAX_DEPTH} levels deep.", f"{where}:{line}")
        if count > MAX_VALUES:
            raise _refused(f"The file holds more than {MAX_VALUES:,} values.", where, "Split the contract.")


def _bound_values(node: yaml.Node | None, where: str) -> None:
    """An alias costs nothing to write and all of its anchor to read: what the aliases unfold to is counted first."""
    sizes: dict[int, int] = {}
    trail = [node] if node is not None else []
    open_nodes: set[int] = set()
    while trail:
        top = trail[-1]
        if id(top) in sizes:
            trail.pop()
            continue
        parts = [] if isinstance(top, yaml.ScalarNode) else _parts(top)
        if id(top) not in open_nodes:
            open_nodes.add(id(top))
            if any(id(part) in open_nodes for part in parts):
                raise _refused("An alias leads back into its own anchor.", f"{where}:{top.start_mark.line + 1}")
            trail += [part for part in parts if id(part) not in sizes]
            continue
        trail.pop()
        sizes[id(top)] = 1 + sum(sizes[id(part)] for part in parts)
        open_nodes.discard(id(top))
        if sizes[id(top)] > MAX_VALUES:
            raise _refused(
                f"With its aliases the file unfolds to more than {MAX_VALUES:,} values.", where, "Use fewer aliases."
            )


def _parts(node: yaml.Node) -> list[yaml.Node]:
    return [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else list(node.value)


def _refused(what: str, where: str, fix: str = "") -> ConfigError:
    return ConfigError(what, where=where, fix=fix, code="UNREADABLE")
