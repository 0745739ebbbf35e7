"""A delivery is in trouble from its first failure on, also where the target was merely busy and no attempt was counted."""

from django.db import migrations

TROUBLED = "create index sync_delivery_in_trouble on sync_delivery (next_at, sync_id, record_id) where state in (2, 3, 4, 5) or"


class Migration(migrations.Migration):
    dependencies = [("sync", "0014_doubted_batch")]
    operations = [
        migrations.RunSQL(
            f"drop index sync_delivery_in_trouble; {TROUBLED} (state = 1 and failing_since is not null);",
            f"drop index sync_delivery_in_trouble; {TROUBLED} (state = 1 and attempts > 0);",
        )
    ]
