"""What can be said of a declaration file without any system: its schema, its recorded payloads, the conformance cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from connectors import catalog
from connectors.catalog import Declaration, Problem
from connectors.certification.certify import conformance
from connectors.certification.payloads import check_payloads, folder_of

# Protocols whose answers can be recorded: they travel by HTTP.
OVER_HTTP = ("rest", "jsonrpc", "odata", "soap", "scim")


@dataclass(slots=True)
class Checked:
    """A declaration file that was looked at: what is wrong with it, and what was found to be in order."""

    path: Path
    sentences: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.sentences


def check_file(path: Path) -> Checked:
    """Look at a declaration file, then at its payloads, then at how it takes bad answers. Never raises."""
    checked = Checked(path, [_sentence(path, problem) for problem in problems_of(path)])
    if checked.is_sound:
        declaration = catalog.load_file(path)
        checked.found.append(f"{path}: {declaration.label} is sound; it offers {', '.join(declaration.streams)}.")
        _check_payloads(declaration, checked)
        _check_conformance(declaration, checked)
    return checked


def problems_of(path: Path) -> list[Problem]:
    """What is wrong with a declaration file, its name included."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        return [Problem("", 0, f"It cannot be read: {reason}.")]
    found = catalog.validate_text(text, beside=path.parent)
    if not found and (name := catalog.parse(text, beside=path.parent).name) != path.stem:
        return [Problem("name", 0, f"The file is called {path.name}, so the name must be {path.stem!r}, not {name!r}.")]
    return found


def _sentence(path: Path, problem: Problem) -> str:
    return f"{path}:{problem.line}: {problem}" if problem.line else f"{path}: {problem}"


def _check_payloads(declaration: Declaration, checked: Checked) -> None:
    folder = folder_of(checked.path)
    if not any(folder.glob("*.yaml")):
        return
    if declaration.protocol not in OVER_HTTP:
        checked.sentences.append(
            f"{folder}: Answers of the protocol {declaration.protocol} cannot be recorded. Remove it."
        )
        return
    count, wrong = check_payloads(declaration, folder)
    checked.sentences += [str(mismatch) for mismatch in wrong]
    if not wrong:
        checked.found.append(f"{folder}: {count} recorded case{'' if count == 1 else 's'} came out as recorded.")


def _check_conformance(declaration: Declaration, checked: Checked) -> None:
    results = list(conformance(declaration))
    checked.sentences += [f"{checked.path}: {r.rule}: {r.detail}" for r in results if r.state == "failed"]
    checked.found += _conformance_words(checked.path, [r.state for r in results])


def _conformance_words(path: Path, states: list[str]) -> Iterator[str]:
    if passed := states.count("passed"):
        yield f"{path}: {passed} of {len(states)} cases of bad answers were survived."
