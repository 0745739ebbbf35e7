"""Event types of the firm; events know the version of what they say."""

import django.contrib.postgres.fields
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0001_initial'),
        ('governance', '0014_removals'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='EventType',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=40, unique=True)),
                ('title', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True, max_length=2000)),
                ('owner', models.CharField(blank=True, max_length=120)),
                ('moment', models.CharField(choices=[('begins', 'Its condition comes to hold'), ('ends', 'Its condition holds no longer'), ('changes', 'Certain fields change while its condition holds')], default='begins', max_length=7)),
                ('condition', models.JSONField(blank=True, default=dict)),
                ('watched', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('carries', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('version', models.PositiveSmallIntegerField(default=1)),
                ('is_active', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalEventType',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(db_index=True, max_length=40)),
                ('title', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True, max_length=2000)),
                ('owner', models.CharField(blank=True, max_length=120)),
                ('moment', models.CharField(choices=[('begins', 'Its condition comes to hold'), ('ends', 'Its condition holds no longer'), ('changes', 'Certain fields change while its condition holds')], default='begins', max_length=7)),
                ('condition', models.JSONField(blank=True, default=dict)),
                ('watched', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('carries', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('version', models.PositiveSmallIntegerField(default=1)),
                ('is_active', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical event type',
                'verbose_name_plural': 'historical event types',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.AddField(
            model_name='event',
            name='version',
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['type', 'id'], name='event_by_type'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['subject', 'id'], name='event_by_subject'),
        ),
        migrations.AddField(
            model_name='eventtype',
            name='entity',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='governance.entity'),
        ),
        migrations.AddField(
            model_name='historicaleventtype',
            name='entity',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='governance.entity'),
        ),
        migrations.AddField(
            model_name='historicaleventtype',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
    ]
