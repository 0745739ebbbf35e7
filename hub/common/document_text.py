"""Documents as YAML text, as files and forms show them and take them back."""

from __future__ import annotations

from typing import Any

import yaml

from hub.common.errors import ConfigError
from hub.common.registry import Document

LONGEST = 1_000_000


def from_yaml(text: str, *, where: str = "") -> Document:
    """One document. Raises ConfigError that names the line."""
    if len(text) > LONGEST:
        raise ConfigError(f"The text is longer than {LONGEST:,} characters.", where=where)
    try:
        _refuse_references(text)
        node = yaml.compose(text, Loader=StrictLoader)
        found = StrictLoader.construct(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}" if mark else where
        raise ConfigError(
            f"This is not YAML: {error.problem or error.context}.", where=line, fix="Correct that line."
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigError(
            "This is not YAML.", where=where, fix="Write it as it was before, and change one value."
        ) from None
    if not isinstance(found, dict):
        raise ConfigError("A document is a mapping of names and values.", where=where)
    return found


def _refuse_references(text: str) -> None:
    """A few lines that refer to each other can stand for gigabytes."""
    for event in yaml.parse(text, Loader=StrictLoader):
        if isinstance(event, yaml.AliasEvent):
            line = f"line {event.start_mark.line + 1}" if event.start_mark else ""
            raise ConfigError(f"The reference *{event.anchor} has to be written out.", where=line)


class StrictLoader(yaml.SafeLoader):
    """YAML without surprises: a key that stands twice is an error, dates and times stay text."""

    @classmethod
    def construct(cls, node: yaml.Node) -> Any:
        loader = cls("")
        try:
            return loader.construct_document(node)
        finally:
            loader.dispose()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str | int) else id(key_node))
        return super().construct_mapping(node, deep)


def _text(loader: StrictLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _dump_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _dump_text)


def to_yaml(document: Document) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
