"""manage.py resume --sync SLUG | --connection SLUG | --all  [--reason R] [--json]: let work go on."""

from hub.sync.management.switching import SwitchCommand


class Command(SwitchCommand):
    help = "Let a sync, a connection or everything go on; what waited starts at once."
    is_paused = False
