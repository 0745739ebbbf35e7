"""Which protocols and systems there are, and how a connection to one is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings

from connectors import catalog
from connectors.base import Connector
from connectors.catalog import Catalogue, Declaration, Problem
from connectors.declared import DeclaredConnector
from hub.common.errors import ConfigError

# A connector is imported when it is first asked for: its libraries are heavy, and most workers need few of them.
_PROTOCOLS: dict[str, str] = {
    "rest": "connectors.rest.connector.RestConnector",
    "jsonrpc": "connectors.jsonrpc.connector.JsonRpcConnector",
    "soap": "connectors.soap.connector.SoapConnector",
    "sql": "connectors.sql.connector.SqlConnector",
    "files": "connectors.files.connector.FilesConnector",
    "odata": "connectors.odata.connector.ODataConnector",
    "upload": "connectors.uploads.UploadConnector",
}


class _Protocols(Mapping[str, type[Connector]]):
    """Protocol name -> connector class, imported on first access."""

    def __getitem__(self, name: str) -> type[Connector]:
        module, _, attribute = _PROTOCOLS[name].rpartition(".")
        found: type[Connector] = getattr(import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_PROTOCOLS)

    def __len__(self) -> int:
        return len(_PROTOCOLS)


def protocols() -> Mapping[str, type[Connector]]:
    """The connector class of each protocol, imported on first access."""
    return _Protocols()


def register_protocol(name: str, dotted_path: str) -> None:
    """Make a connector class known; a name that is taken may only be given to the same class again."""
    if _PROTOCOLS.setdefault(name, dotted_path) != dotted_path:
        raise ConfigError(f"The protocol {name!r} belongs to {_PROTOCOLS[name]}.", fix="Choose another name.")


def catalogue() -> Mapping[str, Declaration]:
    """The systems of the shipped folder and of HUB_CATALOG by name; files with problems are left out."""
    return _load().declarations


def catalogue_problems() -> Mapping[str, list[Problem]]:
    """What is wrong with the files of the catalogue that `catalogue()` left out, by file."""
    return _load().problems


def open_connector(
    *,
    declaration: Declaration | None = None,
    protocol: str = "",
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
) -> Connector:
    """Open a connection for use; raises ConfigError for a configuration that cannot work.

    Without `declaration`, one may stand in `config` under `declaration` (data or YAML text).
    """
    if declaration is None and config.get("declaration"):
        declaration = catalog.parse(config["declaration"])
    protocol = declaration.protocol if declaration else protocol
    if protocol not in _PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}.", fix=f"Use one of: {', '.join(_PROTOCOLS)}.")
    connector = protocols()[protocol]
    if not issubclass(connector, DeclaredConnector):
        return connector(config, secrets)
    declaration = declaration or connector.own_declaration()
    if declaration is None:
        raise ConfigError(
            f"A connection of the kind {protocol} needs a declaration.",
            fix="Choose a system from the catalogue, or write one (docs/connect-any-api.md).",
            code="DECLARATION",
        )
    return connector(config, secrets, declaration)


def _load() -> Catalogue:
    folders = [catalog.SHIPPED, *_own_folders()]
    return _load_folders(tuple(folders), tuple(_stamps(folders)))


def _own_folders() -> list[Path]:
    folder = getattr(settings, "HUB_CATALOG", "") if settings.configured else os.environ.get("HUB_CATALOG", "")
    return [Path(folder)] if folder else []


def _stamps(folders: list[Path]) -> Iterator[tuple[str, int]]:
    """What changes when a file is added, removed or edited, so that a running worker sees it."""
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        yield str(path), path.stat().st_mtime_ns


@lru_cache(maxsize=4)
def _load_folders(folders: tuple[Path, ...], stamps: tuple[tuple[str, int], ...]) -> Catalogue:
    return catalog.load_folder(*folders)
