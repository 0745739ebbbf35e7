"""Reading and writing configuration documents: YAML files, one or more documents each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hub.common.document_text import StrictLoader, to_yaml
from hub.common.errors import ConfigError
from hub.common.registry import Document, kinds


@dataclass(frozen=True, slots=True)
class Source:
    """A document and where it stands, for messages."""

    document: Document
    file: str
    line: int

    @property
    def name(self) -> tuple[str, str]:
        return str(self.document["kind"]), str(self.document["slug"])

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def read(path: Path) -> list[Source]:
    """All documents below a folder, or of one file. Raises ConfigError that names file and line."""
    if not path.exists():
        raise ConfigError("There is no such file or folder.", where=str(path), fix="Give a folder or a .yaml file.")
    files = [path] if path.is_file() else sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
    if not files:
        raise ConfigError("The folder holds no .yaml file.", where=str(path))
    found = [source for file in files for source in _read_file(file)]
    _refuse_twins(found)
    return found


def from_data(values: Iterable[Any]) -> list[Source]:
    """Documents of a request; messages name their position in the list, counting from 1."""
    found = [_source(value, "documents", position) for position, value in enumerate(values, 1)]
    _refuse_twins(found)
    return found


def _read_file(file: Path) -> Iterator[Source]:
    try:
        text = file.read_text(encoding="utf-8")
        nodes = [node for node in yaml.compose_all(text, Loader=StrictLoader) if node is not None]
        values = [StrictLoader.construct(node) for node in nodes]
    except UnicodeDecodeError as error:
        raise ConfigError("The file is not UTF-8.", where=str(file), fix="Save it as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = f"This is not YAML: {error.problem or error.context}."
        raise ConfigError(what, where=f"{file}:{line}", fix="Correct that line.") from None
    for node, value in zip(nodes, values, strict=True):
        yield _source(value, str(file), node.start_mark.line + 1)


def _source(value: Any, file: str, line: int) -> Source:
    where = f"{file}:{line}"
    if not isinstance(value, dict):
        raise ConfigError("A document is a mapping with `kind` and `slug`.", where=where)
    for name in ("kind", "slug"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ConfigError(f"The document has no `{name}`.", where=where, fix=f"Add a line `{name}: …`.")
    if value["kind"] not in kinds():
        known = ", ".join(kinds())
        raise ConfigError(f"There is no kind {value['kind']!r}.", where=where, fix=f"Use one of: {known}.")
    return Source(value, file, line)


def _refuse_twins(sources: Iterable[Source]) -> None:
    seen: dict[tuple[str, str], Source] = {}
    for source in sources:
        if source.name in seen:
            kind, slug = source.name
            raise ConfigError(
                f"{kind} {slug!r} is written down twice.", where=f"{seen[source.name].where} and {source.where}"
            )
        seen[source.name] = source


def write(folder: Path, documents: Iterable[Document]) -> int:
    """One file for each document: <folder>/<kind>/<slug>.yaml; returns how many."""
    count = 0
    for document in documents:
        target = folder / document["kind"].lower()
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{document['slug']}.yaml").write_text(to_yaml(document), encoding="utf-8")
        count += 1
    return count
