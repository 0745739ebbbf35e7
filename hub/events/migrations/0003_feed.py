"""In which transaction each event was written, so that whoever reads the events one after the other misses none."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0002_event_types'),
    ]

    operations = [
        migrations.RunSQL(
            "alter table events_event add column xid xid8 not null default pg_current_xact_id();"
            "create index events_event_feed on events_event (xid, id)",
            "alter table events_event drop column xid",
        ),
    ]
