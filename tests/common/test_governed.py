"""Documents go through one door: applied all or none, or kept for the reviewers by a gate."""

from __future__ import annotations

import pytest

from connectors.models import System
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.governed import Put, put

pytestmark = pytest.mark.django_db
CRM = {"kind": "System", "slug": "crm", "name": "CRM", "category": "crm"}


@pytest.fixture(autouse=True)
def _own_gates(monkeypatch):
    monkeypatch.setattr(governed, "_gates", [])


def test_without_a_gate_documents_are_applied_at_once(ada):
    assert put([CRM], by=ada).is_applied
    assert System.objects.get().name == "CRM"


def test_a_gate_that_keeps_them_writes_nothing(ada):
    governed.install(lambda documents, by, reason: Put(is_applied=False, said="Sent to review.", url="/approvals/1/"))
    assert put([CRM], by=ada).url == "/approvals/1/"
    assert not System.objects.exists()


def test_a_gate_lets_pass_what_nobody_reviews(ada):
    governed.install(lambda documents, by, reason: None)
    assert put([CRM], by=ada).is_applied


def test_one_wrong_document_keeps_all_out(ada):
    with pytest.raises(ConfigError, match="System pers"):
        put([CRM, {"kind": "System", "slug": "pers"}], by=ada)
    assert not System.objects.exists()
