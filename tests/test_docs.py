"""The documentation keeps up with the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hub", "connectors", "governance", "mappings", "monitoring")
READ = re.compile(r"""(?:env(?:str|bool|int|list)\(|environ(?:\.get\(|\.setdefault\(|\[))\s*"([A-Z][A-Z_]+)\"""")
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE"}


def sources() -> str:
    return "\n".join(path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_every_setting_is_documented():
    documented = (ROOT / "docs" / "settings.md").read_text()
    found = set(READ.findall(sources())) - NOT_SETTINGS
    assert found
    assert not {name for name in found if f"`{name}`" not in documented}


def test_every_documented_setting_is_read():
    code = sources()
    documented = re.findall(r"^\| `([A-Z_]+)` ", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert not [name for name in documented if f'"{name}"' not in code]


def test_every_command_of_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"manage\.py ([a-z_]+)", text))
    known = {path.stem for package in PACKAGES for path in (ROOT / package).rglob("management/commands/*.py")}
    assert named
    assert not named - known - {"up"}


def test_links_of_the_documents_lead_somewhere():
    broken = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            if not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")
    assert not broken
