from __future__ import annotations

from django.urls import path, re_path, register_converter

from hub.common import home, nav
from hub.common.home import Step
from hub.common.lists import list_urls
from hub.common.nav import Badge, Entry
from hub.sync import (
    liveness,
    panels,  # noqa: F401 - registers its parts of the first page
    search,  # noqa: F401 - registers its providers
    totals,
)
from hub.sync.duplicates.queries import open_for
from hub.sync.keys import DeliveryConverter, HeldConverter
from hub.sync.models import Run, Sync
from hub.sync.removals import panels as removal_panels  # noqa: F401 - registers its part of the first page
from hub.sync.views import (
    adoptions,
    backfills,
    blocked,
    dead_letters,
    deliveries,
    dry_runs,
    duplicates,
    editing,
    grid,
    held,
    identities,
    ledger,
    matching,
    merges,
    modes,
    ownership,
    removals,
    replays,
    runs,
    switches,
    syncs,
)

register_converter(HeldConverter, "held")
register_converter(DeliveryConverter, "delivery")

app_name = "sync"

urlpatterns = [
    path("healthz/work", liveness.healthz_work, name="healthz_work"),
    *list_urls("syncs/", syncs.sync_list, "sync_list"),
    *list_urls("modes/", modes.mode_list, "mode_list"),
    path("syncs/standstill/", switches.standstill, name="standstill"),
    path("syncs/connection/<slug:slug>/purge/", switches.connection_purge, name="connection_purge"),
    path("syncs/new/", editing.sync_new, name="sync_new"),
    path("syncs/schedule-preview/", editing.schedule_preview, name="schedule_preview"),
    path("syncs/mapping/<slug:slug>/dry-run/", dry_runs.mapping_dry_run, {"fmt": ""}, name="mapping_dry_run"),
    re_path(
        r"^syncs/mapping/(?P<slug>[-\w]+)/dry-run\.(?P<fmt>csv|json)$",
        dry_runs.mapping_dry_run,
        name="mapping_dry_run_export",
    ),
    path("syncs/<slug:slug>/", syncs.sync_detail, name="sync_detail"),
    path("syncs/<slug:slug>/runs/", syncs.sync_runs, name="sync_runs"),
    path("syncs/<slug:slug>/grid/", grid.sync_grid, {"fmt": ""}, name="sync_grid"),
    re_path(r"^syncs/(?P<slug>[-\w]+)/grid\.(?P<fmt>csv|json)$", grid.sync_grid, name="sync_grid_export"),
    path("syncs/<slug:slug>/trouble/", syncs.sync_trouble, name="sync_trouble"),
    path("syncs/<slug:slug>/history/", syncs.sync_history, name="sync_history"),
    path("syncs/<slug:slug>/settings/", editing.sync_settings, name="sync_settings"),
    path("syncs/<slug:slug>/dry-run/", dry_runs.sync_dry_run, {"fmt": ""}, name="sync_dry_run"),
    re_path(r"^syncs/(?P<slug>[-\w]+)/dry-run\.(?P<fmt>csv|json)$", dry_runs.sync_dry_run, name="sync_dry_run_export"),
    path("syncs/<slug:slug>/removals/", removals.sync_removals, name="sync_removals"),
    path("syncs/<slug:slug>/backfills/", backfills.backfill_list, name="backfill_list"),
    path("syncs/<slug:slug>/backfills/<int:pk>/", backfills.backfill_detail, name="backfill_detail"),
    path("syncs/<slug:slug>/backfills/<int:pk>/<str:act>/", backfills.backfill_act, name="backfill_act"),
    path("syncs/<slug:slug>/run/", syncs.sync_run, name="sync_run"),
    path("syncs/<slug:slug>/pause/", syncs.sync_pause, name="sync_pause"),
    path("syncs/<slug:slug>/purge/", switches.sync_purge, name="sync_purge"),
    path("syncs/<slug:slug>/read-again/", syncs.sync_reset, name="sync_reset"),
    path("syncs/<slug:slug>/schedules/new/", editing.schedule_new, name="schedule_new"),
    path("syncs/<slug:slug>/schedules/<slug:schedule>/", editing.schedule_edit, name="schedule_edit"),
    path("syncs/<slug:slug>/schedules/<slug:schedule>/delete/", editing.schedule_delete, name="schedule_delete"),
    *list_urls("first-loads/", adoptions.adoption_list, "adoption_list"),
    path("first-loads/new/", adoptions.adoption_new, name="adoption_new"),
    *list_urls("first-loads/matching/", matching.definition_list, "definition_list"),
    path("first-loads/matching/new/", matching.definition_new, name="definition_new"),
    path("first-loads/matching/<slug:slug>/", matching.definition_edit, name="definition_edit"),
    path("first-loads/<int:pk>/", adoptions.adoption_detail, {"fmt": ""}, name="adoption"),
    re_path(r"^first-loads/(?P<pk>[0-9]{1,18})\.(?P<fmt>csv|json)$", adoptions.adoption_detail, name="adoption_export"),
    path("first-loads/<int:pk>/accept/", adoptions.adoption_accept, name="adoption_accept"),
    path("first-loads/<int:pk>/approve/", adoptions.adoption_approve, name="adoption_approve"),
    path("first-loads/<int:pk>/abandon/", adoptions.adoption_abandon, name="adoption_abandon"),
    path("first-loads/<int:pk>/resume/", adoptions.adoption_resume, name="adoption_resume"),
    path("first-loads/<int:pk>/records/<int:row>/", adoptions.adoption_record, name="adoption_record"),
    path("first-loads/<int:pk>/records/<int:row>/decide/", adoptions.adoption_decide, name="adoption_decide"),
    *list_urls("runs/grid/", grid.run_grid, "run_grid"),
    *list_urls("runs/", runs.run_list, "run_list"),
    path("runs/<int:pk>/", runs.run_detail, name="run_detail"),
    path("runs/<int:pk>/live/", runs.run_live, name="run_live"),
    path("runs/<int:pk>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<int:pk>/confirm/", removals.run_confirm, name="run_confirm"),
    path("runs/<int:pk>/again/", runs.run_again, name="run_again"),
    *list_urls("merges/", merges.merge_list, "merge_list"),
    path("merges/<int:pk>/", merges.merge_detail, name="merge_detail"),
    path("merges/<int:pk>/undo/", merges.merge_undo, name="merge_undo"),
    path("merges/new/<slug:slug>/<int:record>/", merges.merge_new, name="merge_new"),
    *list_urls("transactions/", ledger.transaction_list, "transaction_list"),
    path("transactions/<int:pk>/", ledger.transaction_detail, name="transaction_detail"),
    path("transactions/<int:pk>/reveal/", ledger.transaction_reveal, name="transaction_reveal"),
    *list_urls("held/", held.held_list, "held_list"),
    path("held/<held:key>/", held.held_detail, name="held_detail"),
    path("held/<held:key>/reveal/", held.held_reveal, name="held_reveal"),
    path("held/<held:key>/retry/", held.held_retry, name="held_retry"),
    path("held/<held:key>/discard/", held.held_discard, name="held_discard"),
    *list_urls("deliveries/", deliveries.delivery_list, "delivery_list"),
    path("deliveries/<delivery:key>/", deliveries.delivery_detail, name="delivery_detail"),
    path("deliveries/<delivery:key>/retry/", deliveries.delivery_retry, name="delivery_retry"),
    path("deliveries/<delivery:key>/discard/", deliveries.delivery_discard, name="delivery_discard"),
    path("deliveries/<delivery:key>/there/", deliveries.delivery_confirm, name="delivery_confirm"),
    path("deliveries/<delivery:key>/resend/", deliveries.delivery_resend, name="delivery_resend"),
    *list_urls("dead-letters/", dead_letters.dead_letter_list, "dead_letter_list"),
    path("dead-letters/plan/", replays.replay_plan, name="replay_plan"),
    *list_urls("replays/", replays.replay_list, "replay_list"),
    path("replays/start/", replays.replay_start, name="replay_start"),
    path("replays/<int:pk>/", replays.replay_detail, name="replay_detail"),
    path("replays/<int:pk>/live/", replays.replay_live, name="replay_live"),
    path("replays/<int:pk>/cancel/", replays.replay_cancel, name="replay_cancel"),
    path("replays/<int:pk>/approve/", replays.replay_approve, name="replay_approve"),
    path("replays/<int:pk>/decline/", replays.replay_decline, name="replay_decline"),
    *list_urls("duplicates/", duplicates.duplicate_list, "duplicate_list"),
    path("duplicates/<int:pk>/", duplicates.duplicate_detail, name="duplicate_detail"),
    path("duplicates/<int:pk>/decide/", duplicates.duplicate_decide, name="duplicate_decide"),
    path("duplicates/<int:pk>/reveal/", duplicates.duplicate_reveal, name="duplicate_reveal"),
    *list_urls("identities/", identities.identity_list, "identity_list"),
    path("identities/<slug:slug>/<int:record>/part/", identities.identity_part, name="identity_part"),
    *list_urls("ownership/blocked/", blocked.blocked_list, "blocked_list"),
    path("ownership/blocked/<int:pk>/", blocked.blocked_detail, name="blocked_detail"),
    path("ownership/blocked/<int:pk>/accept/", blocked.blocked_accept, name="blocked_accept"),
    path("ownership/blocked/<int:pk>/keep/", blocked.blocked_keep, name="blocked_keep"),
    path("ownership/entity/<slug:slug>/", ownership.ownership_matrix, name="ownership_matrix"),
    path("ownership/entity/<slug:slug>/whatif/", ownership.ownership_whatif, name="ownership_whatif"),
]


def _in_trouble(user: object) -> Badge | None:
    number = totals.held_for(user).count() + totals.deliveries_for(user).count()  # type: ignore[arg-type]
    return Badge(number, hot=True) if number else None


nav.register(
    Entry(
        "Work",
        "Dead letters",
        "sync:dead_letter_list",
        icon="ban",
        permission="ledger.view",
        order=20,
        badge=_in_trouble,
    )
)


def _possible_duplicates(user: object) -> Badge | None:
    number = open_for(user).count()  # type: ignore[arg-type]
    return Badge(number, hot=True) if number else None


nav.register(
    Entry(
        "Work",
        "Possible duplicates",
        "sync:duplicate_list",
        icon="git-compare",
        permission="ledger.view",
        order=25,
        badge=_possible_duplicates,
    )
)
nav.register(Entry("Watch", "Runs", "sync:run_list", icon="player-play", permission="syncs.view", order=20))
nav.register(Entry("Watch", "Transactions", "sync:transaction_list", icon="list", permission="ledger.view", order=25))
nav.register(Entry("Watch", "Find by id", "sync:identity_list", icon="search", permission="ledger.view", order=32))
nav.register(Entry("Watch", "Merges", "sync:merge_list", icon="git-pull-request", permission="ledger.view", order=35))
nav.register(
    Entry("Build", "First loads", "sync:adoption_list", icon="git-compare", permission="ledger.view", order=60)
)
nav.register(Entry("Watch", "Batch or event", "sync:mode_list", icon="clock", permission="syncs.view", order=62))
nav.register(Entry("Build", "Syncs", "sync:sync_list", icon="timeline", permission="syncs.view", order=50))
home.step(
    Step(
        order=50,
        title="Put a mapping to work",
        detail="A sync says which mapping runs, and when. Try it dry before it writes anything.",
        url_name="sync:sync_new",
        action="New sync",
        permission="syncs.edit",
        is_done=lambda request: Sync.objects.exists(),
    )
)
home.step(
    Step(
        order=60,
        title="Run it",
        detail="The first run reads everything; what does not pass is kept with its reason.",
        url_name="sync:sync_list",
        action="Open the syncs",
        permission="syncs.run",
        is_done=lambda request: Run.objects.exists(),
    )
)
