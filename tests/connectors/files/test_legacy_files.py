"""The legacy ERP by files as its declaration ships: over a real OpenSSH server where one is installed."""

from __future__ import annotations

import hashlib
import pwd
from pathlib import Path
from typing import Any

import pytest

from connectors.files.fixed_width import FixedWidthFormat
from connectors.registry import catalogue, open_connector
from hub.common.errors import ConfigError
from hub.common.records import StreamSpec, WriteItem
from tests.connectors.tools import LOOPBACK
from tests.fakes import openssh

CUSTOMERS, POSTINGS, TIME = StreamSpec("customers"), StreamSpec("postings"), StreamSpec("time_to_erp")
HEAD = "customer_no,name,currency,status,changed_at\n"
LINE = {"company": "01", "journal": "J-88121", "posting_date": "2026-11-30", "account": "4000", "currency": "EUR"}


@pytest.fixture(params=["local", "openssh"])
def erp(request: Any, tmp_path: Path, tmp_path_factory: Any) -> Any:
    """(connector, exchange folder)"""
    for name in ("out", "in/ack"):
        (tmp_path / name).mkdir(parents=True)
    config = {"transport": "local", "root": str(tmp_path), "company": "01", "allowed_networks": LOOPBACK}
    if request.param == "local":
        yield open_connector(declaration=catalogue()["legacy_erp_files"], config=config, secrets={}), tmp_path
        return
    if not openssh.SERVER or not openssh.KEYGEN:
        pytest.skip("needs sshd (Debian: openssh-server)")
    with openssh.running_openssh(tmp_path_factory.mktemp("ssh")) as server:
        user = pwd.getpwuid(tmp_path.stat().st_uid).pw_name
        place = {
            "transport": "sftp",
            "host": "127.0.0.1",
            "port": server.port,
            "user": user,
            "host_key": server.host_key,
        }
        secrets = {"private_key": server.private_key}
        connector = open_connector(
            declaration=catalogue()["legacy_erp_files"], config={**config, **place}, secrets=secrets
        )
        yield connector, tmp_path
        connector.close()


def deliver(folder: Path, name: str, data: bytes, number: int, count: int, **more: Any) -> None:
    path = folder / "out" / name
    path.write_bytes(data)
    facts = {
        "file_name": name,
        "row_count": count,
        "sha256": hashlib.sha256(data).hexdigest(),
        "sequence": number,
        **more,
    }
    path.with_suffix(".ctl").write_text("".join(f"{key}={value}\n" for key, value in facts.items()))


def read(connector: Any, stream: StreamSpec, cursor: str | None = None) -> tuple[list[Any], str]:
    pages = list(connector.read(stream, cursor=cursor))
    return [record for page in pages for record in page.records], pages[-1].cursor


def test_the_connection_test_says_each_step(erp):
    connector, _ = erp
    steps = list(connector.check())
    assert all(step.ok for step in steps), steps
    assert "out holds 0 files" in steps[-1].detail


def test_customers_are_read_once_and_acknowledged(erp):
    connector, folder = erp
    deliver(folder, "customer_01_20261130_1.csv", f"{HEAD}C1,Müller,EUR,A,20261130171500\n".encode(), 1, 1)
    found, cursor = read(connector, CUSTOMERS)
    assert found[0] | {"name": "Müller", "changed_at": "2026-11-30T17:15:00Z"} == found[0]
    assert "status=accepted\naccepted=1" in (folder / "in/ack/customer_01_20261130_1.ack").read_text()
    assert read(connector, CUSTOMERS, cursor)[0] == []


def test_a_gap_in_the_sequence_holds_the_stream(erp):
    connector, folder = erp
    deliver(folder, "customer_01_1.csv", f"{HEAD}C1,A,EUR,A,\n".encode(), 1, 1)
    cursor = read(connector, CUSTOMERS)[1]
    deliver(folder, "customer_01_3.csv", f"{HEAD}C3,C,EUR,A,\n".encode(), 3, 1)
    with pytest.raises(ConfigError, match="number 2 has not come"):
        read(connector, CUSTOMERS, cursor)


def test_postings_of_fixed_width_agree_with_trailer_and_control_file(erp):
    connector, folder = erp
    declared = catalogue()["legacy_erp_files"].streams["postings"]
    form = FixedWidthFormat(declared["fixed_width"], declared["fields"], connector.zone)
    lines = [{**LINE, "line_no": 1, "amount": "1250.50"}, {**LINE, "line_no": 2, "amount": "-250.50"}]
    data = form.content(lines, form.columns)
    deliver(folder, "gl_01_1.dat", data, 1, 2, amount_total="1000.00")
    found, cursor = read(connector, POSTINGS)
    assert [(each["line_no"], each["amount"], each["posting_date"]) for each in found] == [
        (1, "1250.50", "2026-11-30"),
        (2, "-250.50", "2026-11-30"),
    ]
    deliver(folder, "gl_01_2.dat", data.replace(b"00000000125050", b"00000000125051"), 2, 2, amount_total="1000.00")
    with pytest.raises(ConfigError, match=r"The trailer of gl_01_2\.dat does not agree"):
        read(connector, POSTINGS, cursor)
    assert "status=refused" in (folder / "in/ack/gl_01_2.ack").read_text()


def test_time_is_written_with_its_control_file_and_the_same_batch_once(erp):
    connector, folder = erp
    body = {"entry_no": "T-1", "employee_no": "E1", "job_no": "J1", "work_date": "2026-11-03", "hours": "7.5"}
    items = [WriteItem("T-1", "upsert", body)]
    for _ in range(2):
        assert [each.status for each in connector.write(TIME, items)] == ["created"]
    (data,) = (folder / "in").glob("time_01_*.csv")
    assert data.read_text() == "entry_no,employee_no,job_no,work_date,hours,bill_rate\nT-1,E1,J1,20261103,7.5,\n"
    assert data.read_bytes().count(b"\r\n") == 2
    control = data.with_suffix(".ctl").read_text()
    assert f"file_name={data.name}\n" in control or f"file={data.name}\n" in control
    assert "hours_total=7.5" in control
