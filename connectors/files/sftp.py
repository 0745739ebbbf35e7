"""SFTP: a pinned host key, one checked address, and a root that is never left."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import paramiko

from connectors.files.storage import TEMPORARY, Entry, Storage, checked_folder, checked_name, copy_pieces, file_error
from hub.common.egress import open_socket
from hub.common.errors import AuthError, ConfigError, HubError, TransientError, UnknownOutcome

DEFAULT_PORT = 22
_TIMEOUT_SECONDS = 60.0
# One key type may sign in several ways.
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class SftpFolder(Storage):
    """A folder of an SFTP server. `section` is `storage` with its templates filled in."""

    def __init__(
        self, section: Mapping[str, Any], allowed_networks: Sequence[str], *, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        self._section, self._allowed, self._timeout = section, allowed_networks, timeout_seconds
        self.host, self.port = str(section.get("host") or ""), int(section.get("port") or DEFAULT_PORT)
        self.label = f"{self.host}:{self.port}"
        self._transport: paramiko.Transport | None = None
        self._client: paramiko.SFTPClient | None = None
        self._root: PurePosixPath | None = None

    # --- connecting ------------------------------------------------------------------------------------------------

    def connect(self, seconds: float) -> str:
        """Open the connection and compare the host key; returns the key's type. Raises before anything is sent."""
        pinned = self._pinned_key()
        try:
            socket = open_socket(self.host, self.port, self._allowed, timeout_seconds=seconds)
            self._transport = paramiko.Transport(socket)
            self._transport.banner_timeout = self._transport.auth_timeout = seconds
            if pinned:
                wanted = _SIGNATURES.get(pinned[0], (pinned[0],))
                self._transport.get_security_options().key_types = wanted
            self._transport.start_client(timeout=seconds)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise self._unreachable(error, pinned) from error
        key = self._transport.get_remote_server_key()
        if pinned != (key.get_name(), key.get_base64()):
            self.close()
            raise self._other_key(key, pinned)
        return key.get_name()

    def _pinned_key(self) -> tuple[str, str] | None:
        words = str(self._section.get("host_key") or "").split()
        start = next((at for at, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None)
        return (words[start], words[start + 1]) if start is not None and start + 1 < len(words) else None

    def _other_key(self, key: paramiko.PKey, pinned: tuple[str, str] | None) -> ConfigError:
        shown = f"{key.get_name()} {key.get_base64()}"
        if pinned is None:
            return ConfigError(
                "The host key of the server is not stated, so nobody knows whether it is the right one.",
                where="host_key",
                fix=f"Ask the server's administrator whether this is its key, then enter it: {shown}",
                code="HOST_KEY",
            )
        return ConfigError(
            f"The server shows another host key than the one that is stated: {shown}.",
            where="host_key",
            fix="Do not go on before the administrator confirms that the key was changed.",
            code="HOST_KEY",
        )

    def _unreachable(self, error: Exception, pinned: tuple[str, str] | None) -> HubError:
        words = str(getattr(error, "strerror", "") or error or "the server hangs up").lower()
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and pinned:
            return ConfigError(
                f"The server has no host key of the type {pinned[0]} that is stated.", where="host_key", code="HOST_KEY"
            )
        return TransientError(
            f"The server cannot be reached: {words}.",
            where=self.label,
            fix="Check address, port and firewall.",
            code="CONNECT",
        )

    def sign_in(self) -> str:
        """Sign in and find the root; returns the user."""
        transport = self._transport
        assert transport is not None
        user, key = str(self._section.get("user") or ""), self._section.get("private_key")
        try:
            if key:
                transport.auth_publickey(user, read_key(str(key)))
            else:
                transport.auth_password(user, str(self._section.get("password") or ""))
            self._client = paramiko.SFTPClient.from_transport(transport)
        except paramiko.AuthenticationException as error:
            self.close()
            refused = AuthError(
                f"The server refuses the user {user!r}.", where=self.label, fix="Check user, password or key."
            )
            refused.add_note(str(error))
            raise refused from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            raise self._unreachable(error, None) from error
        return user

    @property
    def client(self) -> paramiko.SFTPClient:
        if self._client is None or not (self._transport and self._transport.is_active()):
            self.close()
            self.connect(self._timeout)
            self.sign_in()
        assert self._client is not None
        channel = self._client.get_channel()
        if channel is not None:
            channel.settimeout(self._timeout)
        return self._client

    # --- files -----------------------------------------------------------------------------------------------------

    def list(self, folder: str) -> list[Entry]:
        with _Explained(folder or ".", self):
            place = self._folder(folder)
            found = [self._entry(place, facts) for facts in self.client.listdir_attr(str(place))]
        return sorted((entry for entry in found if entry), key=lambda entry: entry.name)

    def _entry(self, place: PurePosixPath, facts: paramiko.SFTPAttributes) -> Entry | None:
        name = facts.filename
        if stat.S_ISLNK(facts.st_mode or 0):
            if not self._is_inside(place / name):
                return None
            try:
                facts = self.client.stat(str(place / name))
            except OSError:
                return None
        if not stat.S_ISREG(facts.st_mode or 0):
            return None
        return Entry(name, facts.st_size or 0, int(facts.st_mtime or 0))

    def stat(self, folder: str, name: str) -> Entry | None:
        with _Explained(name, self):
            try:
                facts = self.client.stat(str(self._folder(folder) / checked_name(name)))
            except FileNotFoundError:
                return None
        return Entry(name, facts.st_size or 0, int(facts.st_mtime or 0))

    def copy(self, folder: str, name: str, target: BinaryIO, take: Callable[[bytes], None]) -> int:
        with _Explained(name, self):
            path = self._folder(folder) / checked_name(name)
            if not self._is_inside(path):
                raise ConfigError(f"The file {name!r} is a link out of the root folder.", where=name)
            with self.client.open(str(path), "rb") as source:
                source.prefetch()
                return copy_pieces(source.read, target, take)

    def write(self, folder: str, name: str, content: bytes) -> None:
        with _Explained(name, self):
            place = self._folder(folder)
            temporary = str(place / f".{checked_name(name)}{TEMPORARY}")
            with self.client.open(temporary, "wb") as file:
                file.set_pipelined(True)
                file.write(content)
        try:
            self._rename(temporary, str(place / name))
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, PermissionError | FileNotFoundError):
                raise file_error(error, name) from error
            # the server may have renamed it before the connection broke
            raise UnknownOutcome(f"It is not known whether {name!r} got its name.", where=self.label) from error

    def _rename(self, temporary: str, path: str) -> None:
        try:
            self.client.posix_rename(temporary, path)
        except OSError as error:
            if error.errno is not None:
                raise
            # a server without the extension renames only to a name that is free
            with suppress(OSError):
                self.client.remove(path)
            self.client.rename(temporary, path)

    def _folder(self, folder: str) -> PurePosixPath:
        root = self._root_path()
        place = PurePosixPath(self.client.normalize(str(root / checked_folder(folder))))
        if not place.is_relative_to(root):
            raise ConfigError(f"The folder {folder!r} is a link out of the root folder.", where="folder")
        return place

    def _root_path(self) -> PurePosixPath:
        if self._root is None:
            self._root = PurePosixPath(self.client.normalize(str(self._section.get("root") or ".")))
        return self._root

    def _is_inside(self, path: PurePosixPath) -> bool:
        return PurePosixPath(self.client.normalize(str(path))).is_relative_to(self._root_path())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = self._client = None


class _Explained:
    """Turns errors of the server and of the connection into sentences."""

    def __init__(self, where: str, storage: SftpFolder) -> None:
        self.where, self.storage = where, storage

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EOFError | paramiko.SSHException | TimeoutError | ConnectionError):
            self.storage.close()
            raise TransientError(
                f"The connection broke: {error or 'the server hangs up'}.", where=self.storage.label, code="BROKEN"
            ) from error
        if isinstance(error, OSError):
            raise file_error(error, self.where) from error


def read_key(text: str) -> paramiko.PKey:
    """A private key from its text; raises ConfigError."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException, ValueError, IndexError, UnicodeDecodeError):
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
    raise ConfigError(
        "The private key cannot be read.", where="private_key", fix="Paste the whole key, without a password."
    )
