"""Files are read whole or not at all, once, and never from outside their root; written ones are never half visible."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import paramiko
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import catalog
from connectors.files.connector import FilesConnector
from connectors.files.storage import checked_folder, checked_name
from connectors.registry import open_connector
from hub.common.errors import AuthError, ConfigError, RecordError, TransientError
from hub.common.records import Page, StreamSpec, WriteItem
from tests.connectors.tools import LOOPBACK
from tests.fakes.sftp import PASSWORD, USER, FakeSftp, running_sftp

HOURS = StreamSpec("hours", key=("id",))
DECLARATION: dict[str, Any] = {
    "name": "drop",
    "label": "Drop",
    "category": "legacy",
    "protocol": "files",
    "time_zone": "Europe/Berlin",
    "config": {
        "root": {"title": "Root"},
        "transport": {"title": "Transport", "default": "local"},
        "port": {"title": "Port", "required": False},
        "host_key": {"title": "Host key", "required": False},
        "password": {"title": "Password", "type": "secret", "required": False},
        "private_key": {"title": "Private key", "type": "secret", "required": False},
    },
    "storage": {
        "transport": "${config.transport}",
        "root": "${config.root}",
        "host": "127.0.0.1",
        "port": "${config.port}",
        "user": USER,
        "password": "${secret.password}",
        "private_key": "${secret.private_key}",
        "host_key": "${config.host_key}",
    },
}
CONTROL = {"suffix": ".ctl", "count": "rows", "sha256": "sha", "total": "sum", "total_field": "hours"}


def connect(root: Path, stream: dict[str, Any] | None = None, secrets: Any = None, **config: Any) -> Any:
    section = {"pattern": "h_*.csv", "settle_seconds": 0, "key": "id", **(stream or {})}
    declaration = catalog.parse({**DECLARATION, "streams": {"hours": section}})
    settings = {"root": str(root), "allowed_networks": LOOPBACK, **config}
    return open_connector(declaration=declaration, config=settings, secrets=secrets or {"password": PASSWORD})


def put(root: Path, name: str, text: str | bytes, *, control: str | None = None, age: float = 100) -> Path:
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (time.time() - age,) * 2)
    if control is not None:
        path.with_suffix(".ctl").write_text(control)
    return path


def pages_of(connector: Any, cursor: str | None = None, **more: Any) -> list[Page]:
    return list(connector.read(HOURS, cursor=cursor, **more))


def ids(pages: list[Page]) -> list[str]:
    return [record["id"] for page in pages for record in page.records]


# --- once, whole, in order -----------------------------------------------------------------------------------------


def test_files_are_read_in_the_order_of_their_names_and_once(tmp_path):
    put(tmp_path, "h_2.csv", "id\n3\n4\n")
    put(tmp_path, "h_1.csv", "id\n1\n2\n")
    put(tmp_path, "other.csv", "id\n9\n")
    first = pages_of(connect(tmp_path))
    assert ids(first) == ["1", "2", "3", "4"]
    assert ids(pages_of(connect(tmp_path), first[-1].cursor)) == []
    put(tmp_path, "h_3.csv", "id\n5\n")
    assert ids(pages_of(connect(tmp_path), first[-1].cursor)) == ["5"]


def test_a_file_that_is_only_touched_is_not_read_again(tmp_path):
    path = put(tmp_path, "h_1.csv", "id\n1\n")
    cursor = pages_of(connect(tmp_path))[-1].cursor
    os.utime(path)
    assert ids(pages_of(connect(tmp_path), cursor)) == []


def test_a_file_with_new_content_under_its_old_name_is_read(tmp_path):
    put(tmp_path, "h_1.csv", "id\n1\n")
    cursor = pages_of(connect(tmp_path))[-1].cursor
    put(tmp_path, "h_1.csv", "id\n2\n", age=50)
    assert ids(pages_of(connect(tmp_path), cursor)) == ["2"]


def test_a_crawl_goes_on_from_any_page_without_loss_or_double(tmp_path):
    for number in range(3):
        put(tmp_path, f"h_{number}.csv", "id\n" + "".join(f"{number}{row}\n" for row in range(5)))
    stream = StreamSpec("hours", page_size=2)
    pages = list(connect(tmp_path).read(stream, cursor=None))
    for number, page in enumerate(pages[:-1]):
        resume = json.loads(json.dumps(page.resume))
        rest = list(connect(tmp_path).read(stream, cursor=page.cursor, resume=resume))
        assert ids(pages[: number + 1]) + ids(rest) == ids(pages)


def test_the_cursor_names_a_file_only_when_all_of_it_is_out(tmp_path):
    put(tmp_path, "h_1.csv", "id\n1\n2\n3\n")
    first, *_, last = connect(tmp_path).read(StreamSpec("hours", page_size=2), cursor=None)
    assert ids(pages_of(connect(tmp_path), first.cursor)) == ["1", "2", "3"]
    assert ids(pages_of(connect(tmp_path), last.cursor)) == []


@pytest.mark.parametrize("name", ["h_1.csv.tmp", "h_1.csv.part", ".h_1.csv", "~h_1.csv", "h_1.csv.filepart"])
def test_a_name_that_says_unfinished_is_left_alone(tmp_path, name):
    put(tmp_path, name, "id\n1\n")
    assert ids(pages_of(connect(tmp_path, {"pattern": "*"}))) == []


def test_a_file_that_was_just_changed_must_settle(tmp_path):
    put(tmp_path, "h_1.csv", "id\n1\n", age=5)
    put(tmp_path, "h_2.csv", "id\n2\n", age=50)
    assert ids(pages_of(connect(tmp_path, {"settle_seconds": 30}))) == ["2"]


def test_a_file_that_grows_while_it_is_read_is_left_for_later(tmp_path):
    path = put(tmp_path, "h_1.csv", "id\n1\n")
    connector = connect(tmp_path)
    plain = connector.storage.copy

    def copy_while_it_grows(*args: Any) -> int:
        with path.open("a") as file:
            file.write("2\n")
        return plain(*args)

    connector.storage.copy = copy_while_it_grows
    pages = pages_of(connector)
    assert ids(pages) == []
    assert ids(pages_of(connect(tmp_path), pages[-1].cursor)) == ["1", "2"]


def test_an_empty_folder_is_one_empty_page(tmp_path):
    (page,) = pages_of(connect(tmp_path))
    assert (list(page.records), page.resume) == ([], None)


# --- control files -------------------------------------------------------------------------------------------------

TEXT = "id,hours\n1,7.5\n2,0.25\n"
GOOD = f"rows = 2\nsha: {hashlib.sha256(TEXT.encode()).hexdigest().upper()}\nsum=7.750\n"
FIELDS = {"hours": "decimal"}


def test_a_file_whose_control_file_agrees_is_read_at_once(tmp_path):
    put(tmp_path, "h_1.csv", TEXT, control=GOOD, age=0)
    stream = {"control": CONTROL, "fields": FIELDS, "settle_seconds": 60}
    assert ids(pages_of(connect(tmp_path, stream))) == ["1", "2"]


def test_a_file_without_its_control_file_waits(tmp_path):
    put(tmp_path, "h_1.csv", TEXT)
    stream = {"control": CONTROL, "fields": FIELDS}
    waiting = pages_of(connect(tmp_path, stream))
    assert ids(waiting) == []
    (tmp_path / "h_1.ctl").write_text(GOOD)
    assert ids(pages_of(connect(tmp_path, stream), waiting[-1].cursor)) == ["1", "2"]


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (GOOD.replace("rows = 2", "rows = 3"), "says rows 3, but the file has 2"),
        (GOOD.replace("7.750", "7.75001"), "but the file has 7.75"),
        (GOOD.replace("7.750", "a lot"), "says sum a lot"),
        (GOOD.replace("sum=7.750", ""), "does not state 'sum'"),
        ("rows=2\nsha=00\nsum=7.75", "says sha 00"),
        ("", "does not state"),
    ],
)
def test_nothing_is_read_when_the_control_file_disagrees(tmp_path, control, words):
    put(tmp_path, "h_0.csv", TEXT, control=GOOD)
    put(tmp_path, "h_1.csv", TEXT, control=control)
    put(tmp_path, "h_2.csv", TEXT, control=GOOD)
    pages: list[Page] = []
    with pytest.raises(ConfigError, match=words):
        pages.extend(connect(tmp_path, {"control": CONTROL, "fields": FIELDS}).read(HOURS, cursor=None))
    assert ids(pages) == ["1", "2"]


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("json", '{"rows": 2, "sum": 7.75}'),
        ("csv", "rows;sum\n2;7.75\n"),
        ("empty", "whatever"),
    ],
)
def test_control_files_come_in_several_forms(tmp_path, form, content):
    put(tmp_path, "h_1.csv", TEXT)
    (tmp_path / "h_1.csv.done").write_text(content)
    section = {
        "suffix": ".done",
        "append": True,
        "format": form,
        "count": "rows",
        "total": "sum",
        "total_field": "hours",
    }
    assert ids(pages_of(connect(tmp_path, {"control": section, "fields": FIELDS}))) == ["1", "2"]


# --- CSV -----------------------------------------------------------------------------------------------------------


def read_text(tmp_path: Path, text: str | bytes, **stream: Any) -> Page:
    put(tmp_path, "h_1.csv", text)
    return pages_of(connect(tmp_path, stream))[0]


def test_values_are_typed_as_declared_and_lose_nothing(tmp_path):
    fields = {
        "amount": "decimal",
        "count": "integer",
        "rate": "number",
        "open": "boolean",
        "day": {"type": "date", "format": "%d.%m.%Y"},
        "at": {"type": "date-time", "format": "%d.%m.%Y %H:%M"},
        "tags": "array",
    }
    text = (
        "id;amount;count;rate;open;day;at;tags;note\r\n"
        '007;"1.234.567,8900";1.000;0,5;ja;05.07.2026;05.07.2026 10:00;"[1, ""a""]"; Zeile "x" \r\n'
        "008;;;;;;;;\r\n"
    ).replace("ja", "J")
    page = read_text(
        tmp_path,
        text.replace(' Zeile "x" ', " Zeile x ").encode("latin1"),
        fields=fields,
        csv={"delimiter": ";", "decimal": ",", "encoding": "latin1", "true_values": ["J"]},
    )
    assert page.records[0] == {
        "id": "007",
        "amount": "1234567.8900",
        "count": 1000,
        "rate": 0.5,
        "open": True,
        "day": "2026-07-05",
        "at": "2026-07-05T08:00:00Z",
        "tags": [1, "a"],
        "note": "Zeile x",
    }
    assert set(page.records[1].values()) == {"008", None}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8-sig", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp1252", "cp1252"), ("utf-16", "utf-16")],
)
def test_texts_are_decoded_as_declared(tmp_path, encoding, name):
    page = read_text(tmp_path, "id,name\n1,Müller – Söhne\n".encode(name), csv={"encoding": encoding})
    assert page.records[0]["name"] == "Müller – Söhne"


def test_columns_may_be_declared_in_place_of_a_header(tmp_path):
    page = read_text(tmp_path, "1|a\n2|b\n", csv={"delimiter": "|", "header": False, "columns": ["id", "name"]})
    assert [record["name"] for record in page.records] == ["a", "b"]


def test_quotes_may_be_ordinary_signs(tmp_path):
    assert read_text(tmp_path, 'id\t"n\n1\t"x\n', csv={"delimiter": "\t", "quote": ""}).records[0]['"n'] == '"x'


def test_bad_lines_are_set_aside_with_their_place_and_the_rest_goes_on(tmp_path):
    text = b'id,hours\n1,1\n2,1,1\n3,x\n4,\xff\n5,a\x00b\n6,"open\n7,2\n'
    page = read_text(tmp_path, text.replace(b'6,"open\n', b'6,"a"b\n'), fields={"hours": "string", "id": "integer"})
    assert [record["id"] for record in page.records] == [1, 3, 7]
    assert [bad.position for bad in page.bad] == [1, 3, 4, 5]
    assert [bad.error.code for bad in page.bad] == ["CSV", "TEXT", "TEXT", "CSV"]
    assert page.bad[0].error.where == "h_1.csv:3"
    assert "3 values for 2 columns" in page.bad[0].error.what


def test_a_value_of_another_type_names_its_field(tmp_path):
    page = read_text(tmp_path, "id,hours\n1,7,5\n".replace("7,5", "seven"), fields={"hours": "decimal"})
    assert isinstance(page.bad[0].error, RecordError)
    assert page.bad[0].error.field == "hours"


def test_a_quote_that_is_never_closed_spoils_what_follows_but_not_the_file(tmp_path):
    page = read_text(tmp_path, 'id,hours\n1,1\n2,"open\n3,1\n')
    assert ([record["id"] for record in page.records], len(page.bad)) == (["1"], 1)


@pytest.mark.parametrize(
    ("text", "section", "words"),
    [
        ("", {}, "is empty"),
        ("id,id\n1,2\n", {}, "names 'id' twice"),
        ("id,,x\n1,2,3\n", {}, "has a gap"),
        ("id;hours\n1;2\n", {"columns": ["id", "hours"]}, "has no column 'id'; it has: id;hours"),
        ("id\nä\n", {"encoding": "utf-16"}, "not written in utf-16"),
    ],
)
def test_a_head_that_does_not_fit_is_explained(tmp_path, text, section, words):
    with pytest.raises(ConfigError, match=words):
        read_text(tmp_path, text, csv=section)


CELLS = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, min_size=1, max_size=8), st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_survives_writing_and_reading(tmp_path, texts, delimiter):
    root = tmp_path / hashlib.sha256(repr((texts, delimiter)).encode()).hexdigest()[:12]
    stream = {
        "file_name": "h_${batch}.csv",
        "csv": {"delimiter": delimiter, "trim": False, "encoding": "utf-8"},
        "write": {"upsert": {"safety": "C"}},
    }
    root.mkdir(exist_ok=True)
    connector = connect(root, stream)
    items = [WriteItem(str(n), "upsert", {"id": str(n), "text": text}) for n, text in enumerate(texts)]
    assert {outcome.status for outcome in connector.write(HOURS, items)} == {"created"}
    found = [record["text"] or "" for page in pages_of(connect(root, stream)) for record in page.records]
    assert found == texts


# --- writing -------------------------------------------------------------------------------------------------------

OUT = {
    "folder": "out",
    "file_name": "h_${now}_${batch}.csv",
    "write": {"upsert": {"safety": "C"}},
    "control": CONTROL,
    "fields": {"hours": "decimal", "day": {"type": "date", "format": "%d.%m.%Y"}},
    "csv": {"decimal": ",", "delimiter": ";", "encoding": "latin1", "line_end": "crlf"},
}


def rows(*bodies: dict[str, Any]) -> list[WriteItem]:
    return [WriteItem(body["id"], "upsert", body, idempotency_key=f"k-{body['id']}") for body in bodies]


def test_a_file_is_written_with_its_control_file(tmp_path):
    items = rows({"id": "1", "hours": "7.50", "day": "2026-07-05"}, {"id": "2", "hours": "0.25", "day": None})
    outcomes = connect(tmp_path, OUT).write(HOURS, items)
    data, control = sorted((tmp_path / "out").iterdir(), key=lambda path: path.suffix, reverse=False)
    assert data.read_bytes() == b"id;hours;day\r\n1;7,50;05.07.2026\r\n2;0,25;\r\n"
    sha = hashlib.sha256(data.read_bytes()).hexdigest()
    assert control.read_text() == f"rows=2\nsha={sha}\nsum=7.75\n"
    assert [outcome.ref for outcome in outcomes] == [f"{data.name}#1", f"{data.name}#2"]


def test_what_was_written_can_be_read(tmp_path):
    items = rows({"id": "1", "hours": "7.50", "day": "2026-07-05"})
    connect(tmp_path, OUT).write(HOURS, items)
    assert pages_of(connect(tmp_path, OUT))[0].records == [items[0].body]


def test_the_same_batch_is_written_once(tmp_path):
    items = rows({"id": "1", "hours": "1"})
    first = connect(tmp_path, OUT).write(HOURS, items)[0]
    control = next((tmp_path / "out").glob("*.ctl"))
    # the first try fell before the control file was out
    control.unlink()
    again = connect(tmp_path, OUT).write(HOURS, items)[0]
    assert (again.status, again.ref) == ("created", first.ref)
    assert len(list((tmp_path / "out").iterdir())) == 2
    connect(tmp_path, OUT).write(HOURS, rows({"id": "2", "hours": "1"}))
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_record_that_the_file_cannot_hold_fails_alone(tmp_path):
    outcomes = connect(tmp_path, OUT).write(HOURS, rows({"id": "1", "hours": "1"}, {"id": "😀", "hours": "1"}))
    assert [outcome.status for outcome in outcomes] == ["created", "failed"]
    assert "latin1" in str(outcomes[1].error)


def test_nobody_sees_half_a_file(tmp_path):
    seen: list[str] = []
    connector = connect(tmp_path, OUT)
    plain = Path.replace

    def watch(self: Path, target: Any) -> Any:
        seen.extend(path.name for path in self.parent.iterdir())
        return plain(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", watch)
        connector.write(HOURS, rows({"id": "1", "hours": "1"}))
    assert seen[0].startswith(".h_")
    assert seen[0].endswith(".tmp")


def test_a_deletion_cannot_be_written(tmp_path):
    outcome = connect(tmp_path, OUT).write(HOURS, [WriteItem("1", "delete", {"id": "1"})])[0]
    assert isinstance(outcome.error, ConfigError)


def test_a_stream_without_a_file_name_is_read_only(tmp_path):
    with pytest.raises(ConfigError, match="can only be read"):
        connect(tmp_path).write(HOURS, rows({"id": "1"}))


# --- the root is never left ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["..", "a/../..", "/etc", "a\\..\\b", "../x", "a\x00b"])
def test_a_folder_outside_the_root_is_refused(folder):
    with pytest.raises(ConfigError):
        checked_folder(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\\b", "a\x00"])
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(ConfigError):
        checked_name(name)


def test_links_out_of_the_root_are_not_followed(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    put(outside, "h_secret.csv", "id\nsecret\n")
    (root / "h_link.csv").symlink_to(outside / "h_secret.csv")
    (root / "folder").symlink_to(outside)
    put(root, "h_1.csv", "id\n1\n")
    (root / "h_2.csv").symlink_to(root / "h_1.csv")
    assert ids(pages_of(connect(root))) == ["1", "1"]
    with pytest.raises(ConfigError, match="link out of the root"):
        pages_of(connect(root, {"folder": "folder"}))


def test_a_pipe_in_the_folder_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "h_1.csv")
    assert ids(pages_of(connect(tmp_path))) == []


@pytest.mark.parametrize("root", ["/", "/etc", "/proc/self", "/dev", "/sys/kernel"])
def test_a_folder_of_the_machine_itself_is_no_root(root):
    steps = list(connect(Path(root)).check())
    assert (steps[0].ok, "machine itself" in steps[0].detail) == (False, True)


def test_an_installation_may_open_some_folders_only(tmp_path, settings):
    settings.HUB_FILE_ROOTS = [str(tmp_path / "open")]
    (tmp_path / "open").mkdir()
    assert all(step.ok for step in connect(tmp_path / "open").check())
    assert "HUB_FILE_ROOTS" in next(iter(connect(tmp_path).check())).fix


def test_a_missing_folder_is_named(tmp_path):
    steps = list(connect(tmp_path / "nowhere").check())
    assert (steps[-1].name, steps[-1].ok) == ("read", False)


# --- without a declaration -----------------------------------------------------------------------------------------


def plain(root: Path, **config: Any) -> FilesConnector:
    return FilesConnector({"root": str(root), **config}, {}, FilesConnector.own_declaration())


def test_files_are_discovered_by_the_pattern_of_their_names(tmp_path):
    put(tmp_path, "hours_20260701.csv", "id;hours\n1;7,5\n", age=0)
    put(tmp_path, "hours_20260702_001.csv", "id;hours\n1;7,5\n")
    put(tmp_path, "rates.csv", "id;rate\n1;2\n")
    put(tmp_path, "rates.done", "")
    found = {info.name: info for info in plain(tmp_path, delimiter=";", control_suffix=".done").discover()}
    assert set(found) == {"hours_*.csv", "rates.csv"}
    assert [field.path for field in found["hours_*.csv"].fields] == ["id", "hours"]


def test_a_stream_may_be_a_pattern(tmp_path):
    (tmp_path / "in").mkdir()
    put(tmp_path / "in", "a1.csv", "id\n1\n")
    pages = list(plain(tmp_path).read(StreamSpec("in/a*.csv"), cursor=None))
    assert ids(pages) == ["1"]


# --- SFTP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    with running_sftp(tmp_path) as server:
        yield server


def over_sftp(server: FakeSftp, stream: dict[str, Any] | None = None, **config: Any) -> Any:
    given = {"transport": "sftp", "port": server.port, "host_key": server.host_key, **config}
    secrets = given.pop("secrets", None)
    return connect(Path(server.folder), stream, secrets, **given)


def test_sftp_reads_writes_and_goes_on_after_a_broken_connection(server, tmp_path):
    (tmp_path / "out").mkdir()
    connector = over_sftp(server, OUT)
    connector.write(HOURS, rows({"id": "1", "hours": "7.50", "day": None}))
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".csv", ".ctl"]
    assert ids(pages_of(connector)) == ["1"]
    server.hang_up()
    with contextlib.suppress(TransientError):
        pages_of(connector)
    assert ids(pages_of(connector)) == ["1"]
    connector.close()
    connector.close()


def test_a_server_that_cannot_rename_over_a_file_is_written_all_the_same(server, tmp_path):
    server.renames_over = False
    stream = {"file_name": "fixed.csv", "write": {"upsert": {}}}
    for text in ("a", "b"):
        over_sftp(server, stream).write(HOURS, rows({"id": text}))
    assert (tmp_path / "fixed.csv").read_text() == "id\nb\n"


def test_sftp_names_each_step(server):
    steps = list(over_sftp(server).check())
    assert [(step.name, step.ok) for step in steps] == [
        ("resolve", True),
        ("connect", True),
        ("authenticate", True),
        ("read", True),
    ]
    assert steps[2].detail == f"Signed in as {USER}."


def test_without_a_host_key_nothing_is_sent_and_the_key_is_shown(server):
    steps = list(over_sftp(server, host_key="").check())
    assert (steps[-1].name, steps[-1].ok) == ("connect", False)
    assert server.host_key in steps[-1].fix


def test_another_host_key_stops_the_connection(server):
    other = paramiko.ECDSAKey.generate()
    steps = list(over_sftp(server, host_key=f"{other.get_name()} {other.get_base64()}").check())
    assert (steps[-1].name, steps[-1].ok) == ("connect", False)
    assert "another host key" in steps[-1].detail


def test_a_host_key_of_another_type_stops_the_connection(server):
    other = paramiko.RSAKey.generate(2048)
    steps = list(over_sftp(server, host_key=f"host {other.get_name()} {other.get_base64()} comment").check())
    assert (steps[-1].name, steps[-1].ok) == ("connect", False)


def test_a_wrong_password_is_a_refused_sign_in(server):
    connector = over_sftp(server, secrets={"password": "wrong"})
    assert list(connector.check())[-1].name == "authenticate"
    with pytest.raises(AuthError):
        pages_of(connector)


def test_a_private_key_signs_in(server, tmp_path):
    key = paramiko.ECDSAKey.generate()
    server.user_key = key
    path = tmp_path / "key"
    key.write_private_key_file(str(path))
    put(tmp_path, "h_1.csv", "id\n1\n")
    secrets = {"private_key": path.read_text()}
    assert ids(pages_of(over_sftp(server, secrets=secrets))) == ["1"]
    refused = list(over_sftp(server, secrets={"private_key": "nonsense"}).check())[-1]
    assert "private key cannot be read" in refused.detail


def test_an_sftp_server_at_a_closed_address_is_not_reached(server):
    steps = list(over_sftp(server, allowed_networks=[]).check())
    assert (steps[0].name, steps[0].ok) == ("resolve", False)


def test_links_out_of_the_root_are_not_followed_over_sftp(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    put(outside, "h_secret.csv", "id\nsecret\n")
    (root / "h_link.csv").symlink_to(outside / "h_secret.csv")
    (root / "folder").symlink_to(outside)
    put(root, "h_1.csv", "id\n1\n")
    with running_sftp(root) as server:
        assert ids(pages_of(over_sftp(server))) == ["1"]
        with pytest.raises(ConfigError, match="link out of the root"):
            pages_of(over_sftp(server, {"folder": "folder"}))
