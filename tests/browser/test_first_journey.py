"""From the printed code to a second person at work, by mouse and by keyboard."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from hub.accounts.models import User
from hub.accounts.services import issue_setup_code

PASSWORD = "correct horse battery"


def test_the_first_person_sets_up_and_invites_an_approver(visit: Any) -> None:
    here = visit()
    page = here.go("/")
    expect(page).to_have_url(re.compile(r"/setup/$"))
    page.get_by_label("Set-up code").fill("WRONG-CODE")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("alert")).to_be_focused()
    here.shoot("setup_wrong_code")
    here.assert_accessible()

    page.get_by_role("alert").get_by_role("link", name="Set-up code").click()
    expect(page.get_by_label("Set-up code")).to_be_focused()
    page.get_by_label("Set-up code").fill(issue_setup_code())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My work")
    expect(page.get_by_role("status")).to_contain_text("This hub is yours")
    here.shoot("home_first")
    here.assert_accessible()

    page.get_by_role("link", name="Invite a person").click()
    page.get_by_label("Name", exact=True).fill("Grace Okafor")
    page.get_by_label("E-mail address").fill("grace@example.com")
    page.get_by_label("Approver, All domains").check()
    page.get_by_role("button", name="Invite", exact=True).click()
    link = page.locator("[data-copy*='/welcome/']").get_attribute("data-copy")
    assert link
    here.shoot("person_link")
    here.assert_accessible()

    guest = visit()
    theirs = guest.page
    theirs.goto(link)
    theirs.get_by_label("Password").fill(PASSWORD)
    theirs.get_by_role("button", name="Save and sign in").click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text("My work")
    expect(theirs.get_by_text("· Approver")).to_be_visible()
    theirs.get_by_label("Grace Okafor, menu").click()
    theirs.get_by_role("button", name="Sign out").click()
    expect(theirs).to_have_url(re.compile(r"/sign-in/$"))


def test_the_palette_works_by_keyboard_alone(visit: Any, ada: User) -> None:
    here = visit(ada)
    page = here.go("/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("option")).not_to_have_count(0)
    page.keyboard.type("sett")
    expect(page.get_by_role("option")).to_have_text([re.compile("Settings")])
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_have_text(re.compile("Settings"))
    here.shoot("palette")
    here.assert_accessible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/settings/profile/$"))


def test_escape_closes_the_palette(visit: Any, ada: User) -> None:
    page = visit(ada).go("/")
    page.get_by_role("link", name="Paste any id").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_theme_changes_at_once_and_stays(visit: Any, ada: User) -> None:
    page = visit(ada, dark=True).go("/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "auto")
    page.get_by_role("button", name="Change between light and dark").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Change between light and dark").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


def test_a_token_is_copied_and_revoked_after_a_question(visit: Any, ada: User) -> None:
    here = visit(ada)
    page = here.go("/settings/tokens/")
    page.get_by_label("What it is for").fill("nightly export")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name=re.compile("^Copy hub_pat_")).click()
    expect(page.locator("#toasts")).to_contain_text("Copied.")
    assert re.fullmatch(r"hub_pat_[0-9a-f]{64}", page.evaluate("navigator.clipboard.readText()"))
    here.shoot("token_made")
    page.get_by_role("button", name="Revoke nightly export").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone.")
    here.shoot("confirm")
    here.assert_accessible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Revoke nightly export").click()
    dialog.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("No tokens yet")).to_be_visible()


def test_lists_are_walked_with_single_keys_unless_switched_off(visit: Any, ada: User, olga: User) -> None:
    page = visit(ada).go("/settings/people/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_contain_text("Olga")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter")).to_be_focused()
    page.get_by_label("Filter").fill("ol")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/settings/people/\?q=ol$"))
    User.objects.filter(pk=ada.pk).update(single_key_shortcuts=False)
    page.reload()
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_count(0)


def test_a_phone_has_the_navigation_in_a_menu(visit: Any, ada: User) -> None:
    here = visit(ada, width=360)
    page = here.go("/")
    page.get_by_label("Menu", exact=True).click()
    here.shoot("menu_360")
    here.assert_accessible()
    page.get_by_label("Main, small screen").get_by_role("link", name="Settings").click()
    expect(page).to_have_url(re.compile(r"/settings/profile/$"))


def test_everything_works_without_script(chromium: Any, live_server: Any, ada: User) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/settings/tokens/")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("What it is for").fill("export")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("Your new token.")).to_be_visible()
    page.get_by_role("button", name="Revoke export").click()
    expect(page.get_by_text("No tokens yet")).to_be_visible()
    page.get_by_role("button", name="UTC").click()
    expect(page.get_by_role("button", name="UTC")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Paste any id").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    context.close()
