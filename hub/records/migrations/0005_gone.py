"""Since when a stream does not show a record any more, and which ids the hub itself made there."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0004_find_by_project'),
    ]

    operations = [
        migrations.AddField(
            model_name='crosswalk',
            name='gone_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='crosswalk',
            name='is_ours',
            field=models.BooleanField(db_default=False),
        ),
    ]
