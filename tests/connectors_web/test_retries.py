"""When failed deliveries of a connection are tried again: the same policy by form, program and file."""

from __future__ import annotations

import html

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from connectors.models import Connection
from connectors.retry_policy import BOUNDS, USUAL, policy_of, problems, short
from connectors.retry_preview import preview, spelled
from hub.common import registry
from hub.common.errors import TransientError
from tests.connectors_web.test_standing import api_of

SETTINGS = "/connections/acme/settings/"


def text(response):
    return html.unescape(response.content.decode())


class TestThePolicy:
    def test_what_is_not_stored_is_the_usual(self):
        assert policy_of({}) == USUAL
        assert short({"base_seconds": 5, "factor": 2.0, "attempts": 8, "conflict": {}}) == {}

    def test_a_kind_of_failure_differs_from_the_others_only_in_what_it_says(self):
        policy = policy_of({"base_seconds": 2, "conflict": {"cap_seconds": 60}})
        waits = {code: policy.for_error(TransientError("x", code=code)) for code in ("CONFLICT", "LOCKED", "NO_ANSWER")}
        assert waits["CONFLICT"] == waits["LOCKED"]
        assert (waits["CONFLICT"].base_seconds, waits["CONFLICT"].cap_seconds) == (2, 60)
        assert waits["NO_ANSWER"].cap_seconds == USUAL.rungs.cap_seconds

    @given(
        base=st.floats(*BOUNDS["base_seconds"]), factor=st.floats(*BOUNDS["factor"]), cap=st.floats(*BOUNDS["cap_seconds"]),
        attempt=st.integers(1, 100),
    )  # fmt: skip
    def test_waits_grow_and_never_pass_the_cap(self, base, factor, cap, attempt):
        rungs = policy_of({"base_seconds": base, "factor": factor, "cap_seconds": cap}).rungs
        assert 0 < rungs.ceiling(attempt) <= rungs.ceiling(attempt + 1) <= cap

    @pytest.mark.parametrize(
        ("stored", "path"),
        [
            ([], "retry"),
            ({"bass_seconds": 1}, "retry.bass_seconds"),
            ({"base_seconds": 0}, "retry.base_seconds"),
            ({"base_seconds": "5"}, "retry.base_seconds"),
            ({"base_seconds": True}, "retry.base_seconds"),
            ({"base_seconds": float("nan")}, "retry.base_seconds"),
            ({"attempts": 1.5}, "retry.attempts"),
            ({"max_age_seconds": 1}, "retry.max_age_seconds"),
            ({"busy": 5}, "retry.busy"),
            ({"busy": {"attempts": 5}}, "retry.busy.attempts"),
            ({"busy": {"cap_seconds": -1}}, "retry.busy.cap_seconds"),
        ],
    )
    def test_what_cannot_be_is_named(self, stored, path):
        assert [problem.path for problem in problems(stored)] == [path]


class TestThePreview:
    def test_it_says_when_the_attempts_happen_and_when_they_end(self):
        found = preview(policy_of({"base_seconds": 1, "attempts": 4}))
        assert found.sentence == "Again after up to 1 s, 2 s, 4 s."
        assert found.end == "Given up after 4 attempts, or when it has failed for 2 d, whichever comes first."
        assert [(rung.number, rung.wait, rung.latest) for rung in found.rungs] == [
            (2, "1 s", "1 s"), (3, "2 s", "3 s"), (4, "4 s", "7 s"),
        ]  # fmt: skip

    def test_a_long_ladder_is_told_by_its_ends(self):
        found = preview(policy_of({"attempts": 100}))
        assert found.sentence.endswith("…, 1 h.")
        assert found.rungs[-1].number == 100

    def test_one_attempt_is_no_ladder(self):
        found = preview(policy_of({"attempts": 1}))
        assert (found.sentence, found.rungs) == ("Never tried again.", [])

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0.5, "0.5 s"), (59, "59 s"), (60, "1 m"), (80, "1 m 20 s"), (172800, "2 d")]
    )
    def test_durations_are_spelled_without_zeros(self, seconds, words):
        assert spelled(seconds) == words


@pytest.mark.django_db
class TestTheForm:
    def send(self, client, values, **more):
        page = client.get(SETTINGS)
        sent = {**values, "c_token": "", "system": "acme-time", "version": page.context["form"]["version"].value()}
        return client.post(SETTINGS, {**sent, **more})

    def test_it_stores_what_differs_and_shows_it_again(self, browse, ada, connection, values):
        client = browse(ada)
        connection.retry = {"busy": {"factor": 3}}
        connection.save()
        self.send(
            client,
            values,
            retry_base_seconds="1",
            retry_factor="2",
            retry_max_age_hours="12",
            retry_busy_cap_seconds="60",
        )
        connection.refresh_from_db()
        assert connection.retry == {
            "base_seconds": 1,
            "max_age_seconds": 43200,
            "busy": {"factor": 3, "cap_seconds": 60},
        }
        page = text(client.get(SETTINGS))
        assert "Again after up to 1 s, 2 s, 4 s" in page
        assert "has failed for 12 h" in page
        assert "Again after up to 1 s, 2 s, 4 s" in text(client.get("/connections/acme/"))

    def test_a_number_out_of_bounds_is_refused_with_its_field(self, browse, ada, connection, values):
        answer = self.send(browse(ada), values, retry_attempts="0")
        assert answer.status_code == 422
        assert "Attempts: " in text(answer)
        connection.refresh_from_db()
        assert connection.retry == {}

    def test_the_preview_follows_what_is_typed(self, browse, ada):
        url = reverse("connectors:retry_preview")
        assert "up to 3 s, 3 s" in text(browse(ada).get(url, {"retry_base_seconds": "3", "retry_factor": "1"}))
        assert "Factor" not in text(browse(ada).get(url))
        assert "Longest wait" in text(browse(ada).get(url, {"retry_cap_seconds": "many"}))

    def test_who_may_not_edit_connections_sees_no_preview(self, browse, make_person):
        vera = make_person("Vera", "viewer")
        assert browse(vera).get(reverse("connectors:retry_preview")).status_code == 403


@pytest.mark.django_db
class TestProgramsAndFiles:
    def test_a_program_sets_it(self, ada, connection):
        answer = api_of(ada).patch("/api/v1/connections/acme/", {"retry": {"attempts": 3, "factor": 2}}, format="json")
        assert answer.json()["retry"] == {"attempts": 3}
        connection.refresh_from_db()
        assert connection.retry == {"attempts": 3}

    def test_a_program_is_told_what_is_wrong(self, ada, connection):
        answer = api_of(ada).patch("/api/v1/connections/acme/", {"retry": {"attempts": 0}}, format="json")
        assert answer.status_code == 400
        assert "retry.attempts: Write a whole number between 1 and 100." in str(answer.json())

    def test_it_travels_in_files(self, connection):
        kind = registry.kind("Connection")
        assert "retry" not in kind.dump("acme")
        Connection.objects.update(retry={"attempts": 3})
        document = kind.dump("acme")
        assert document["retry"] == {"attempts": 3}
        changed = {**document, "retry": {"attempts": 4, "base_seconds": 5.0}}
        assert [(change.path, change.after) for change in kind.diff(changed)] == [("retry", {"attempts": 4})]
        kind.apply(changed, by=None)
        assert kind.diff(changed) == []
        connection.refresh_from_db()
        assert connection.retry == {"attempts": 4}

    def test_a_file_is_told_what_is_wrong(self, connection):
        kind = registry.kind("Connection")
        found = kind.validate({**kind.dump("acme"), "retry": {"conflict": {"cap_seconds": 0}}})
        assert [problem.path for problem in found] == ["retry.conflict.cap_seconds"]
