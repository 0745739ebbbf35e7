"""The pages of alerts: what people of a domain see, what they may do, and what is never shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.sync.states import RunStatus
from monitoring.alerts import services
from monitoring.models import Alert, AlertMute, AlertNotice, AlertRoute, AlertRule
from tests.alerts.builders import World

pytestmark = pytest.mark.django_db
CHAT = "gotify://chat.example.com/AbCdEf123456789"


@pytest.fixture
def world(domains: Any) -> World:
    return World()


@pytest.fixture
def alert(world: World) -> Alert:
    rule = world.rule("failed_run")
    world.ran(RunStatus.FAILED, error="The system does not answer.")
    world.look()
    return Alert.objects.get(rule=rule)


def test_the_list_shows_what_is_wrong(browse: Any, olga: Any, alert: Alert) -> None:
    page = browse(olga).get("/alerts/").content.decode()
    assert "psa-time" in page
    assert "The system does not answer." in page
    assert "Nobody is told of anything" in page
    assert "psa-time" not in browse(olga).get("/alerts/?state=ok").content.decode()


def test_nobody_without_the_permission_sees_alerts(browse: Any, mallory: Any, alert: Alert) -> None:
    for path in ("", f"{alert.pk}/", "history/", "notices/", "mutes/", "rules/", "routes/"):
        assert browse(mallory).get(f"/alerts/{path}").status_code == 403


def test_people_of_another_domain_do_not_see_an_alert(browse: Any, make_person: Any, alert: Alert) -> None:
    bob = make_person("Bob", ("operator", "billing-gl"))
    assert "psa-time" not in browse(bob).get("/alerts/").content.decode()
    assert browse(bob).get(f"/alerts/{alert.pk}/").status_code == 404
    assert "psa-time" not in browse(bob).get("/alerts/history/").content.decode()


@pytest.mark.parametrize(
    "path", ["alerts", "alerts/history", "alerts/notices", "alerts/mutes", "alerts/rules", "alerts/routes"]
)
def test_every_list_has_its_twins(browse: Any, olga: Any, alert: Alert, path: str) -> None:
    assert browse(olga).get(f"/{path}/").status_code == 200
    assert browse(olga).get(f"/{path}.csv").status_code == 200
    assert browse(olga).get(f"/{path}.json").status_code == 200


def test_an_operator_sees_and_does_not_change(browse: Any, olga: Any, alert: Alert) -> None:
    assert browse(olga).get(f"/alerts/{alert.pk}/").status_code == 200
    assert browse(olga).post(f"/alerts/{alert.pk}/acknowledge/").status_code == 403
    assert browse(olga).get("/alerts/rules/new/").status_code == 403


def test_acknowledge(browse: Any, ada: Any, alert: Alert) -> None:
    browse(ada).post(f"/alerts/{alert.pk}/acknowledge/")
    alert.refresh_from_db()
    assert alert.acknowledged_by == ada


def test_a_mute_without_a_reason_is_none(browse: Any, ada: Any, alert: Alert) -> None:
    browse(ada).post(f"/alerts/{alert.pk}/mute/", {"hours": "4", "reason": ""})
    assert not AlertMute.objects.exists()
    browse(ada).post(f"/alerts/{alert.pk}/mute/", {"hours": "4", "reason": "The ERP is being moved."})
    assert AlertMute.objects.get().subject == alert.subject
    assert "The ERP is being moved." in browse(ada).get(f"/alerts/{alert.pk}/").content.decode()


def test_a_mute_can_be_ended(browse: Any, ada: Any, alert: Alert) -> None:
    mute = services.mute(rule=alert.rule, until=timezone.now() + timedelta(hours=1), reason="Known.", by=ada)
    browse(ada).post(f"/alerts/mutes/{mute.pk}/end/")
    mute.refresh_from_db()
    assert mute.ended_at is not None


def test_somebody_who_edits_in_one_domain_changes_no_rule_of_the_firm(
    browse: Any, make_person: Any, alert: Alert
) -> None:
    eve = make_person("Eve", ("integration_admin", "project-wbs"))
    assert browse(eve).get(f"/alerts/rules/{alert.rule.slug}/").status_code == 200
    assert browse(eve).get(f"/alerts/rules/{alert.rule.slug}/edit/").status_code == 404
    assert browse(eve).post(f"/alerts/rules/{alert.rule.slug}/mute/", {"hours": "4", "reason": "x"}).status_code == 404


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Money stands still",
        "what": "dead_letter_amount",
        "warning": "500",
        "critical": "9000.50",
        "evaluations": "2",
        **changes,
    }


def test_a_rule_is_made_by_its_form(browse: Any, ada: Any, world: World) -> None:
    answer = browse(ada).post("/alerts/rules/new/", rule())
    assert answer.headers["Location"] == "/alerts/rules/money-stands-still/"
    found = AlertRule.objects.get(slug="money-stands-still")
    assert (found.warning, str(found.critical.normalize()), found.evaluations) == (500, "9000.5", 2)
    browse(ada).post("/alerts/rules/money-stands-still/edit/", rule(warning="", owner="Finance"))
    found.refresh_from_db()
    assert (found.warning, found.owner) == (None, "Finance")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"critical": "400"}, "above the warning"),
        ({"warning": "", "critical": ""}, "at least one of the two levels"),
        ({"what": "nothing"}, "Select a valid choice"),
        ({"what": "credential_expiry", "warning": "3", "critical": "14"}, "below the warning"),
        ({"slug": "new"}, "own addresses"),
    ],
)
def test_a_rule_that_cannot_be_meant_gets_a_sentence(
    browse: Any, ada: Any, world: World, changes: dict[str, Any], words: str
) -> None:
    answer = browse(ada).post("/alerts/rules/new/", rule(**changes))
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_shipped_rules_stay(browse: Any, ada: Any, world: World) -> None:
    world.look()
    browse(ada).post("/alerts/rules/dead-letters/delete/")
    assert AlertRule.objects.filter(slug="dead-letters").exists()
    assert "not removed" in browse(ada).get("/alerts/rules/dead-letters/").content.decode()


def route(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "Finance",
        "position": "10",
        "level": "warning",
        "mail": "finn@firm.example",
        "digest": "immediately",
    }
    return {**given, "digest_at": "08:00", **changes}


def test_a_route_is_made_by_its_form_and_its_secrets_are_never_shown(browse: Any, ada: Any, world: World) -> None:
    answer = browse(ada).post("/alerts/routes/new/", route(chat=CHAT, amount_from="1000"))
    assert answer.headers["Location"] == "/alerts/routes/finance/"
    found = AlertRoute.objects.get()
    assert found.secrets == {"chat": CHAT}
    assert sorted(found.channels) == ["chat", "mail"]
    for path in ("", "finance/", "finance/edit/"):
        assert "AbCdEf123456789" not in browse(ada).get(f"/alerts/routes/{path}").content.decode()
    assert "AbCdEf123456789" not in b"".join(browse(ada).get("/alerts/routes.json")).decode()


def test_a_secret_that_is_not_typed_stays_and_one_that_is_forgotten_goes(browse: Any, ada: Any, world: World) -> None:
    browse(ada).post("/alerts/routes/new/", route(chat=CHAT))
    browse(ada).post("/alerts/routes/finance/edit/", route(level="critical"))
    found = AlertRoute.objects.get()
    assert (found.level, found.secrets) == ("critical", {"chat": CHAT})
    browse(ada).post("/alerts/routes/finance/edit/", route(forget=["chat"]))
    found.refresh_from_db()
    assert found.secrets == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mail": ""}, "Give it mail addresses, a webhook or a chat."),
        ({"mail": "finn"}, "“finn” is no mail address."),
        ({"chat": "mailto://a:b@c.example"}, "no chat that the hub sends to"),
        ({"webhook_secret": "abc"}, "Write whsec_"),
        ({"networks": "inside"}, "is not a network"),
        ({"digest_at": "25:00"}, "time of day"),
    ],
)
def test_a_route_that_cannot_be_meant_gets_a_sentence(
    browse: Any, ada: Any, world: World, changes: dict[str, Any], words: str
) -> None:
    answer = browse(ada).post("/alerts/routes/new/", route(**changes))
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_the_preview_says_who_would_be_told(browse: Any, ada: Any, world: World) -> None:
    browse(ada).post("/alerts/routes/new/", route(amount_from="1000"))
    browse(ada).post("/alerts/routes/new/", route(name="Everybody", position="20", mail="all@firm.example"))
    page = browse(ada).get("/alerts/routes/?level=critical&amount=500").content.decode()
    assert "It begins at 1000" in page
    assert "all@firm.example" in page
    page = browse(ada).get("/alerts/routes/?level=critical&amount=5000").content.decode()
    assert "A route before it ends the search." in page


def test_a_test_is_written_for_every_channel(browse: Any, ada: Any, world: World) -> None:
    browse(ada).post("/alerts/routes/new/", route(chat=CHAT))
    browse(ada).post("/alerts/routes/finance/test/")
    assert set(AlertNotice.objects.values_list("channel", "change")) == {("mail", None), ("chat", None)}


def test_the_navigation_counts_critical_ones_that_nobody_looks_after(browse: Any, ada: Any, world: World) -> None:
    found = world.rule("failed_run", "", "1")
    world.ran(RunStatus.FAILED)
    world.look()
    badge = '<span class="lbl">Alerts</span><span class="n hot">1</span>'
    assert badge in browse(ada).get("/alerts/").content.decode()
    services.acknowledge(Alert.objects.get(rule=found), by=ada)
    assert badge not in browse(ada).get("/alerts/").content.decode()
