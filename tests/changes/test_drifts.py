"""Where people agree to streams, a source that changes its shape opens the change request by itself."""

from __future__ import annotations

import pytest

from connectors.models import Stream
from connectors.services import change_stream
from governance import drift
from governance.changes import drifts, reviewing
from governance.models import ChangeRequest, Drift, ReviewPolicy
from hub.common.errors import ConfigError
from tests.sync import builders as build

pytestmark = pytest.mark.django_db

FIELDS = [{"path": name, "type": "string", "required": True} for name in ("id", "code", "title")]
ROWS = [build.project_row(n) for n in range(1, 31)]


@pytest.fixture
def stream(domains) -> Stream:
    return change_stream(build.stream(build.connection("psa"), "projects"), fields=FIELDS)


@pytest.fixture
def reviewed(pmo):
    ReviewPolicy.objects.create(slug="streams", name="Streams", kind="Stream", group=pmo)


def drifted(stream: Stream) -> Drift:
    after = [*FIELDS, {"path": "colour", "type": "string", "required": False}]
    found = drift.note(stream, stream.fields, after, seen_in="payload")
    assert found is not None
    return found


def test_without_a_policy_the_drift_is_decided_on_its_own_page(stream, ada):
    found = drifted(stream)
    assert not ChangeRequest.objects.exists()
    assert drifts.accept(found, by=ada).status == Drift.Status.ACCEPTED


def test_a_drift_opens_one_change_request_and_cannot_be_accepted_past_it(stream, reviewed, ada):
    found = drifted(stream)
    drift.note(stream, stream.fields, found.proposed, seen_in="payload")
    change = ChangeRequest.objects.get()
    assert (change.author, change.items.get().kind, change.items.get().key) == (None, "Stream", stream.slug)
    with pytest.raises(ConfigError, match="under review"):
        drifts.accept(found, by=ada)
    stream.refresh_from_db()
    assert [field["path"] for field in stream.fields] == ["id", "code", "title"]


def test_the_drift_is_accepted_when_its_change_takes_effect(stream, reviewed, grace):
    found = drifted(stream)
    change = ChangeRequest.objects.get()
    reviewing.approve(change, by=grace, seen=change.content_hash)
    found.refresh_from_db()
    stream.refresh_from_db()
    assert ChangeRequest.objects.get().state == ChangeRequest.State.APPLIED
    assert [field["path"] for field in stream.fields] == ["id", "code", "title", "colour"]
    assert found.status == Drift.Status.ACCEPTED
