"""manage.py pause --sync SLUG | --connection SLUG | --all  --reason R [--json]: stop work, and keep what waits."""

from hub.sync.management.switching import SwitchCommand


class Command(SwitchCommand):
    help = "Stop a sync, a connection or everything at the next page or batch; what waits is kept."
    is_paused = True
