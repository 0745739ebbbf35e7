"""What is wrong with the configuration of a connection, in sentences: for files, the API and forms alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors import catalog, registry, services
from connectors.declared import read_config
from hub.common.errors import ConfigError, HubError
from hub.common.registry import Document, Problem


def declaration_problems(document: Document) -> list[Problem]:
    """What is wrong with the way a Connection document names its connector, and with its config values."""
    config = document.get("config") or {}
    if found := inline_problems(config.get("declaration")):
        return [Problem("config.declaration", sentence) for sentence in found]
    try:
        protocol = services.protocol_of(document)
        known = registry.protocols()
        if protocol not in known:
            text = (
                f"Say which connector: `catalogue`, `config.declaration`, or `protocol` ({', '.join(sorted(known))})."
            )
            return [Problem("catalogue", text)]
        fields = services.spec_fields(catalogue=document.get("catalogue") or "", protocol=protocol, config=config)
    except HubError as error:
        return [Problem("catalogue", str(error))]
    return list(_value_problems(fields, config, document.get("secrets") or {}))


def inline_problems(declaration: Any) -> list[str]:
    """What is wrong with a declaration that stands in a connection, with line numbers where it is text."""
    if not declaration:
        return []
    is_text = isinstance(declaration, str)
    found = catalog.validate_text(declaration) if is_text else catalog.validate(declaration)
    return [f"Line {problem.line}: {problem}" if problem.line else str(problem) for problem in found]


def _value_problems(
    fields: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any], secrets: Mapping[str, Any]
) -> Iterator[Problem]:
    for name, field in fields.items():
        title = field.get("title") or name
        if field.get("secret"):
            if name in config:
                yield Problem(f"config.{name}", f"{title} is a secret: write it under `secrets`.")
        elif field.get("required") and field.get("default") is None and not {**config, **secrets}.get(name):
            yield Problem(f"config.{name}", f"{title} is needed.")
        elif "enum" in field and "pattern" in field:
            try:
                read_config({name: field}, config)
            except ConfigError as error:
                yield Problem(f"config.{name}", f"{error.what} {error.fix}".strip())


def secret_problems(
    *, catalogue: str, protocol: str, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> list[Problem]:
    """Secrets that the kind does not have, and those that it cannot do without."""
    fields = services.spec_fields(catalogue=catalogue, protocol=protocol, config=dict(config))
    known = {name: field for name, field in fields.items() if field.get("secret")}
    words = f"It has: {', '.join(sorted(known))}." if known else "It has none."
    unknown = [
        Problem(f"secrets.{name}", f"There is no such secret. {words}") for name in secrets.keys() - known.keys()
    ]
    return unknown + [
        Problem(f"secrets.{name}", f"{field.get('title') or name} is needed.")
        for name, field in known.items()
        if field.get("required") and not secrets.get(name)
    ]
