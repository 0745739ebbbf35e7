"""The connector for files: CSV, fixed width, workbooks and JSON lines in folders of this machine or of an SFTP server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings

from connectors import catalog
from connectors.catalog import Declaration
from connectors.checking import Step, StepName, run_steps
from connectors.declared import DeclaredConnector, field_infos, key_fields, stream_label
from connectors.files.acknowledging import Acknowledgement
from connectors.files.control import Control
from connectors.files.formats import FileFormat, form_of
from connectors.files.reading import DEFAULT_SETTLE_SECONDS, Reader, checked_pattern
from connectors.files.sftp import SftpFolder
from connectors.files.storage import LocalFolder, Storage, is_unfinished
from connectors.files.writing import Writer
from connectors.inference import infer_fields
from hub.common.egress import checked_addresses
from hub.common.errors import ConfigError, HubError
from hub.common.http import Redactor
from hub.common.records import CheckStep, FieldInfo, Page, StreamInfo, StreamSpec, WriteItem, WriteOutcome

DEFAULT_PAGE_SIZE = 1000
SAMPLE_SIZE = 20

OWN: dict[str, Any] = {
    "name": "files",
    "label": "Files",
    "category": "legacy",
    "protocol": "files",
    "description": "CSV, workbooks (.xlsx) and JSON lines in a folder of this machine or of an SFTP server.",
    "time_zone": "${config.time_zone}",
    "config": {
        "transport": {"title": "Transport", "enum": ["local", "sftp"], "default": "local"},
        "root": {"title": "Root folder", "help": "It is never left.", "example": "/srv/exchange"},
        "host": {"title": "Host", "required": False, "help": "For SFTP."},
        "port": {"title": "Port", "type": "integer", "default": 22},
        "user": {"title": "User", "required": False, "help": "For SFTP."},
        "password": {"title": "Password", "type": "secret", "required": False},
        "private_key": {
            "title": "Private key",
            "type": "secret",
            "required": False,
            "help": "In place of a password: the whole text of an OpenSSH or PEM key.",
        },
        "host_key": {
            "title": "Host key",
            "required": False,
            "help": "Public key of the server; the connection test shows it.",
            "example": "ssh-ed25519 AAAAC3Nza…",
        },
        "delimiter": {"title": "Delimiter", "default": ","},
        "encoding": {
            "title": "Encoding",
            "enum": ["utf-8-sig", "utf-8", "latin1", "cp1252", "utf-16"],
            "default": "utf-8-sig",
        },
        "decimal": {"title": "Decimal sign", "enum": [".", ","], "default": "."},
        "control_suffix": {
            "title": "Ending of control files",
            "required": False,
            "help": "A file is read only when its control file is there, such as .done",
            "pattern": r"\.[A-Za-z0-9_.-]+",
        },
        "time_zone": {"title": "Time zone", "default": "UTC", "help": "Zone of times that stand without one."},
    },
    "storage": {
        "transport": "${config.transport}",
        "root": "${config.root}",
        "host": "${config.host}",
        "port": "${config.port}",
        "user": "${config.user}",
        "password": "${secret.password}",
        "private_key": "${secret.private_key}",
        "host_key": "${config.host_key}",
    },
    "streams": {},
}


class FilesConnector(DeclaredConnector):
    protocol: ClassVar[str] = "files"
    label: ClassVar[str] = "Files"
    batch_size = 5000

    @classmethod
    def own_declaration(cls) -> Declaration:
        return catalog.parse(OWN, source="files")

    @cached_property
    def storage(self) -> Storage:
        section = self.section("storage")
        if section["transport"] == "sftp":
            return SftpFolder(section, self.allowed_networks)
        roots = getattr(settings, "HUB_FILE_ROOTS", ()) if settings.configured else ()
        data = [Path(settings.HUB_DATA)] if settings.configured else []
        return LocalFolder(section["root"], roots, data)

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        """A declared stream, or the files whose names match the stream's name."""
        if self.declaration.streams:
            return super().declared_stream(spec)
        folder, _, pattern = spec.name.rpartition("/")
        chosen = {name: self.config[name] for name in ("delimiter", "encoding", "decimal") if self.config.get(name)}
        suffix = self.config.get("control_suffix")
        control = {"control": {"suffix": suffix, "format": "empty"}} if suffix else {}
        form = (
            {"xlsx": {}}
            if pattern.endswith(".xlsx")
            else {"json_lines": {}}
            if _is_json_lines(pattern)
            else {"csv": chosen}
        )
        return {"folder": folder, "pattern": pattern, **form, **control}

    # --- check -----------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[CheckStep]:
        return run_steps(self._steps(), Redactor(self.secrets.values()))

    def _steps(self) -> Iterator[tuple[StepName, Step]]:
        if self.section("storage")["transport"] == "sftp":
            yield "resolve", self._resolve
            yield "connect", lambda seconds: f"Connected; the host key {self._sftp.connect(seconds)} is the stated one."
            yield "authenticate", lambda seconds: f"Signed in as {self._sftp.sign_in()}."
        else:
            yield "connect", lambda seconds: f"The folder {self.storage.label} is open to this connection."
        yield "read", self._look

    @property
    def _sftp(self) -> SftpFolder:
        assert isinstance(self.storage, SftpFolder)
        return self.storage

    def _resolve(self, seconds: float) -> str:
        host = self._sftp.host
        if not host:
            raise ConfigError("The host is missing.", where="host", fix="Enter the name of the SFTP server.")
        addresses = checked_addresses(host, self._sftp.port, self.allowed_networks, timeout_seconds=seconds)
        return f"{host} is {', '.join(addresses[:3])}."

    def _look(self, seconds: float) -> str:
        folders = dict.fromkeys(stream.get("folder", "") for stream in self.declaration.streams.values()) or [""]
        counts = [f"{folder or 'the root folder'} holds {len(self.storage.list(folder))} files" for folder in folders]
        return f"{'; '.join(counts)}."

    # --- discover --------------------------------------------------------------------------------------------------

    def discover(self) -> Sequence[StreamInfo]:
        if self.declaration.streams:
            return [self._describe(name, stream) for name, stream in self.declaration.streams.items()]
        return [self._describe(pattern, {"pattern": pattern}) for pattern in self._patterns()]

    def _patterns(self) -> list[str]:
        """The names of the files in the root with numbers and dates left open."""
        names = [entry.name for entry in self.storage.list("") if not is_unfinished(entry.name)]
        suffix = self.config.get("control_suffix")
        names = [name for name in names if not (suffix and name.endswith(suffix))]
        return list(dict.fromkeys(re.sub(r"\d+(?:[-_T]?\d+)*", "*", name) for name in names))

    def _describe(self, name: str, stream: Mapping[str, Any]) -> StreamInfo:
        write = stream.get("write", {})
        readable = "pattern" in stream
        return StreamInfo(
            name,
            stream_label(name, stream),
            fields=field_infos(stream) or (self._sampled(name) if readable else ()),
            key=key_fields(stream),
            readable=readable,
            writable="file_name" in stream or bool(write),
            safety=write.get("upsert", {}).get("safety", "D"),
        )

    def _sampled(self, name: str) -> Sequence[FieldInfo]:
        """The fields of the first file that can be read, be it ready or not."""
        stream = StreamSpec(name, page_size=SAMPLE_SIZE)
        try:
            reader = self._reader(
                stream, {**self.declared_stream(stream), "settle_seconds": 0, "control": None, "acknowledge": None}
            )
            pages = islice(reader.pages(None, None), 5)
            return infer_fields(next((list(page.records) for page in pages if page.records), []))
        except HubError:
            return ()

    # --- read and write --------------------------------------------------------------------------------------------

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        section = self.declared_stream(stream)
        if "pattern" not in section:
            raise ConfigError(f"The stream {stream.name!r} can only be written.", where=self.declaration.source)
        return self._reader(stream, section).pages(cursor, resume)

    def _reader(self, stream: StreamSpec, section: Mapping[str, Any]) -> Reader:
        return Reader(
            self.storage,
            self._form(section),
            folder=section.get("folder", ""),
            pattern=checked_pattern(section["pattern"]),
            control=_control(section),
            settle_seconds=float(section.get("settle_seconds", DEFAULT_SETTLE_SECONDS)),
            page_size=stream.page_size or int(self.limits.get("page_size", DEFAULT_PAGE_SIZE)),
            acknowledgement=Acknowledgement(section["acknowledge"]) if section.get("acknowledge") else None,
        )

    def _form(self, section: Mapping[str, Any]) -> FileFormat:
        return form_of(section, self.zone)

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        return str(self.declared_stream(stream).get("write", {}).get("upsert", {}).get("safety", "D"))

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        section = dict(self.declared_stream(stream))
        if "file_name" not in section and not section.get("write"):
            raise ConfigError(f"The stream {stream.name!r} can only be read.", where=self.declaration.source)
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", stream.name)
        form = self._form(section)
        section.setdefault("file_name", f"{plain}_${{now}}_${{batch}}{form.ending}")
        return Writer(self.storage, form, _control(section), section, self.scope).write(items)

    def close(self) -> None:
        storage = self.__dict__.pop("storage", None)
        if storage is not None:
            storage.close()


def _is_json_lines(pattern: str) -> bool:
    return pattern.endswith((".jsonl", ".ndjson"))


def _control(section: Mapping[str, Any]) -> Control | None:
    return Control(section["control"]) if section.get("control") else None
