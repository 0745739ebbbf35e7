"""Since when a stream does not show a record any more, which ids the hub made there, and which a merge has re-pointed."""

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
        migrations.AddField(
            model_name='crosswalk',
            name='merge_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='crosswalk',
            index=models.Index(condition=models.Q(('merge_id__isnull', False)), fields=['merge_id'], name='crosswalk_merged'),
        ),
    ]
