"""Records that may wait for approval are noted, so that a close need not look for them."""

import django.db.models.functions.datetime
from django.db import migrations, models


NOTE = """
insert into monitoring_awaitingapproval (record_id)
select c.id from records_canonicalrecord c join governance_entity e on e.id = c.entity_id
where e.slug in ('time_entry', 'expense') and c.deleted_at is null and c.body->>'status' in ('submitted', 'reopened')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0011_exception_figures'),
        ('records', '0005_gone'),
    ]

    operations = [
        migrations.CreateModel(
            name='AwaitingApproval',
            fields=[
                ('record_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('noted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.RunSQL(NOTE, migrations.RunSQL.noop),
    ]
