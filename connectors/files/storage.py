"""Folders of files, on this machine or elsewhere, that are never left upwards or through a link."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hub.common.errors import ConfigError, HubError, PermanentError, TransientError

# Names under which files are usually written before they are whole.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
TEMPORARY = ".tmp"
_CHUNK = 256 * 1024
# Where a machine keeps itself; no exchange folder lies there.
_SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", "/etc", "/boot", "/run")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder. `changed_at` is its modification time in seconds, as the storage tells it."""

    name: str
    size: int
    changed_at: int


class Storage(ABC):
    """A folder tree. Folders and names are relative to the root; everything raised is a HubError."""

    label: str

    @abstractmethod
    def list(self, folder: str) -> list[Entry]:
        """The regular files of a folder, by name; links that lead out of the root are left out."""

    @abstractmethod
    def copy(self, folder: str, name: str, target: BinaryIO, take: Callable[[bytes], None]) -> int:
        """Copy a file into `target`, showing each piece to `take`; returns the number of bytes."""

    @abstractmethod
    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file under a temporary name, then give it its own: nobody ever sees half of it."""

    @abstractmethod
    def stat(self, folder: str, name: str) -> Entry | None:
        """A file as it stands now, None when it is gone."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open. Safe to call twice."""


def checked_folder(folder: str) -> PurePosixPath:
    """A folder below a root; raises ConfigError for one that leads out of it."""
    path = PurePosixPath(folder or ".")
    if path.is_absolute() or ".." in path.parts or "\x00" in folder or "\\" in folder:
        raise ConfigError(
            f"The folder {folder!r} leads out of the root folder.", where="folder", fix="Name a folder below the root."
        )
    return path


def checked_name(name: str) -> str:
    """The name of a file; raises ConfigError for one that is more than a name."""
    if not name or name in (".", "..") or any(sign in name for sign in "/\\\x00"):
        raise ConfigError(f"{name!r} is not the name of a file.", where="file_name", fix="Leave out folders.")
    return name


def is_unfinished(name: str) -> bool:
    """Whether a name says that a file is hidden or still being written."""
    return name.startswith((".", "~")) or name.lower().endswith(UNFINISHED)


class LocalFolder(Storage):
    """A folder of this machine. `allowed_roots` are the folders below which roots may lie; any, when it is empty."""

    def __init__(self, root: str, allowed_roots: Sequence[str] = (), closed: Sequence[Path] = ()) -> None:
        self.root = Path(root).resolve()
        self.label = str(self.root)
        _refuse_root(self.root, allowed_roots, closed)

    def list(self, folder: str) -> list[Entry]:
        with _explained(folder or "."), os.scandir(self._folder(folder)) as found:
            entries = [self._entry(item) for item in found]
        return sorted((entry for entry in entries if entry), key=lambda entry: entry.name)

    def _entry(self, item: os.DirEntry[str]) -> Entry | None:
        path = Path(item.path).resolve()
        if not path.is_relative_to(self.root):
            return None
        try:
            facts = path.stat()
        except OSError:
            return None
        return Entry(item.name, facts.st_size, int(facts.st_mtime)) if stat.S_ISREG(facts.st_mode) else None

    def stat(self, folder: str, name: str) -> Entry | None:
        try:
            facts = (self._folder(folder) / checked_name(name)).stat()
        except OSError:
            return None
        return Entry(name, facts.st_size, int(facts.st_mtime))

    def copy(self, folder: str, name: str, target: BinaryIO, take: Callable[[bytes], None]) -> int:
        path = (self._folder(folder) / checked_name(name)).resolve()
        if not path.is_relative_to(self.root):
            raise ConfigError(f"The file {name!r} is a link out of the root folder.", where=name)
        with _explained(name), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as source:
            return copy_pieces(source.read, target, take)

    def write(self, folder: str, name: str, content: bytes) -> None:
        place = self._folder(folder)
        temporary = place / f".{checked_name(name)}{TEMPORARY}"
        with _explained(name):
            place.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place / name)

    def close(self) -> None:
        """Nothing is kept open between two calls."""

    def _folder(self, folder: str) -> Path:
        path = (self.root / checked_folder(folder)).resolve()
        if not path.is_relative_to(self.root):
            raise ConfigError(f"The folder {folder!r} is a link out of the root folder.", where="folder")
        return path


def copy_pieces(read: Callable[[int], bytes], target: BinaryIO, take: Callable[[bytes], None]) -> int:
    size = 0
    while piece := read(_CHUNK):
        size += len(piece)
        take(piece)
        target.write(piece)
    return size


def _refuse_root(root: Path, allowed_roots: Sequence[str], closed: Sequence[Path]) -> None:
    allowed = [Path(folder).resolve() for folder in allowed_roots if folder]
    system = [Path(folder) for folder in _SYSTEM_FOLDERS] + [folder.resolve() for folder in closed]
    if root == Path("/") or any(root.is_relative_to(folder) or folder.is_relative_to(root) for folder in system):
        raise ConfigError(f"{root} belongs to the machine itself.", where="root", fix="Choose a folder for exchange.")
    if allowed and not any(root.is_relative_to(folder) for folder in allowed):
        raise ConfigError(
            f"{root} is not below a folder that this installation opens for files.",
            where="root",
            fix=f"Use a folder below {', '.join(map(str, allowed))}, or extend HUB_FILE_ROOTS.",
        )


class _explained:
    """Turns errors of the file system into sentences."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise file_error(error, self.where) from error


def file_error(error: OSError, where: str) -> HubError:
    """The sentence of a file system's refusal."""
    words = (error.strerror or str(error)).lower()
    if isinstance(error, FileNotFoundError):
        return ConfigError(f"There is no {where!r}.", where=where, fix="Check the folder and the name.", code="FILE")
    if isinstance(error, PermissionError):
        return ConfigError(f"{where!r} may not be opened: {words}.", where=where, fix="Check its owner and rights.")
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return PermanentError(f"{where!r} cannot be used: {words}.", where=where, code="FILE")
    return TransientError(f"{where!r} cannot be used: {words}.", where=where, code="FILE")
