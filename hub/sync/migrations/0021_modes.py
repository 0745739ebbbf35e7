"""What the firm needs of a sync: how late a change may be, how many there are, how much hangs on it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0020_uploads'),
    ]

    operations = [
        migrations.AddField(
            model_name='historicalsync',
            name='criticality',
            field=models.CharField(choices=[('low', 'Low: it can wait'), ('normal', 'Normal'), ('high', 'High: money or people wait for it')], default='normal', max_length=6),
        ),
        migrations.AddField(
            model_name='historicalsync',
            name='latency_seconds',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='historicalsync',
            name='records_a_day',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='sync',
            name='criticality',
            field=models.CharField(choices=[('low', 'Low: it can wait'), ('normal', 'Normal'), ('high', 'High: money or people wait for it')], default='normal', max_length=6),
        ),
        migrations.AddField(
            model_name='sync',
            name='latency_seconds',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='sync',
            name='records_a_day',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
