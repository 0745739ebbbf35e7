"""An SFTP server on loopback over a folder of this machine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "hub", "s3cret-token"


class _Login(paramiko.ServerInterface):
    def __init__(self, server: FakeSftp) -> None:
        self.server = server

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == USER and self.server.user_key is not None and key == self.server.user_key
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Folder(paramiko.SFTPServerInterface):
    """Paths are those of this machine; `broken` makes a call hang up."""

    def __init__(self, server: _Login, fake: FakeSftp) -> None:
        super().__init__(server)
        self.fake = fake

    def list_folder(self, path: str) -> Any:
        try:
            found = []
            for name in os.listdir(path):
                facts = paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)), name)
                found.append(facts)
            return found
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def canonicalize(self, path: str) -> str:
        return os.path.realpath(os.path.join(self.fake.folder, path))

    def stat(self, path: str) -> Any:
        return self._facts(os.stat, path)

    def lstat(self, path: str) -> Any:
        return self._facts(os.lstat, path)

    def _facts(self, ask: Any, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(ask(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            writes = flags & (os.O_WRONLY | os.O_RDWR)
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        handle = _Handle(flags)
        handle.filename = path
        file = os.fdopen(descriptor, "wb" if writes else "rb")
        handle.readfile = handle.writefile = file
        return handle

    def remove(self, path: str) -> int:
        return self._do(os.remove, path)

    def rename(self, oldpath: str, newpath: str) -> int:
        if os.path.exists(newpath):
            return paramiko.SFTP_FAILURE
        return self._do(os.rename, oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if not self.fake.renames_over:
            return paramiko.SFTP_OP_UNSUPPORTED
        return self._do(os.replace, oldpath, newpath)

    def _do(self, act: Any, *paths: str) -> int:
        try:
            act(*paths)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK


class FakeSftp:
    """Serves `folder`; `host_key` is what a client has to pin."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.key = paramiko.ECDSAKey.generate()
        self.user_key: paramiko.PKey | None = None
        self.renames_over = True
        self.host_key = f"{self.key.get_name()} {self.key.get_base64()}"
        self._transports: list[paramiko.Transport] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, fake=self)
            self._transports.append(transport)
            try:
                transport.start_server(server=_Login(self))
            except (paramiko.SSHException, EOFError, ConnectionError):  # the client may simply be gone
                continue

    def hang_up(self) -> None:
        """Close every connection."""
        while self._transports:
            self._transports.pop().close()

    def close(self) -> None:
        self._socket.close()
        self.hang_up()


@contextmanager
def running_sftp(folder: Path) -> Iterator[FakeSftp]:
    """A running server."""
    server = FakeSftp(folder)
    try:
        yield server
    finally:
        server.close()
