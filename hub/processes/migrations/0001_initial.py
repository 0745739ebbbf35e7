"""Processes, their versions, their instances with steps and notes."""

import django.db.models.deletion
import django.db.models.functions.datetime
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0002_domains'),
        ('governance', '0014_removals'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalProcess',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('purpose', models.TextField(blank=True, max_length=2000)),
                ('owner', models.CharField(choices=[('integration_admin', 'Integration admin'), ('approver', 'Approver'), ('finance', 'Finance'), ('operator', 'Operator'), ('auditor', 'Auditor'), ('viewer', 'Viewer')], default='integration_admin', max_length=32)),
                ('is_active', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('domain', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.domain')),
                ('entity', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='governance.entity')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical process',
                'verbose_name_plural': 'historical processs',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Process',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('purpose', models.TextField(blank=True, max_length=2000)),
                ('owner', models.CharField(choices=[('integration_admin', 'Integration admin'), ('approver', 'Approver'), ('finance', 'Finance'), ('operator', 'Operator'), ('auditor', 'Auditor'), ('viewer', 'Viewer')], default='integration_admin', max_length=32)),
                ('is_active', models.BooleanField(default=True)),
                ('slot_at', models.DateTimeField(editable=False, null=True)),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.domain')),
                ('entity', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='governance.entity')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ProcessInstance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.TextField()),
                ('record_id', models.BigIntegerField(null=True)),
                ('cause', models.CharField(max_length=120)),
                ('trigger', models.CharField(max_length=40)),
                ('given', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('running', 'Running'), ('waiting', 'Waiting'), ('failed', 'Failed'), ('undoing', 'Undoing'), ('done', 'Done'), ('cancelled', 'Cancelled')], db_default='running', default='running', max_length=9)),
                ('note', models.CharField(blank=True, db_default='', default='', max_length=500)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('next_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True)),
                ('looks', models.IntegerField(db_default=0, default=0)),
                ('process', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='instances', to='processes.process')),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ProcessNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(blank=True, default='', max_length=60)),
                ('what', models.CharField(max_length=40)),
                ('detail', models.TextField(blank=True, default='')),
                ('at', models.DateTimeField()),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notes', to='processes.processinstance')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ProcessVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('definition', models.JSONField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('process', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='processes.process')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.AddField(
            model_name='processinstance',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='processes.processversion'),
        ),
        migrations.CreateModel(
            name='StepRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(max_length=60)),
                ('state', models.CharField(choices=[('pending', 'Not begun'), ('calling', 'In flight'), ('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed'), ('unsure', 'Outcome unknown'), ('skipped', 'Skipped'), ('cancelled', 'Cancelled'), ('undone', 'Undone')], default='pending', max_length=9)),
                ('uid', models.UUIDField(default=uuid.uuid4)),
                ('attempts', models.IntegerField(default=0)),
                ('begun_at', models.DateTimeField(null=True)),
                ('due_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('epoch', models.IntegerField(default=0)),
                ('retry_at', models.DateTimeField(null=True)),
                ('result', models.JSONField(default=dict)),
                ('error_code', models.CharField(blank=True, default='', max_length=60)),
                ('error', models.TextField(blank=True, default='')),
                ('fix', models.TextField(blank=True, default='')),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='processes.processinstance')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddConstraint(
            model_name='processversion',
            constraint=models.UniqueConstraint(fields=('process', 'number'), name='process_version_once'),
        ),
        migrations.AddIndex(
            model_name='processinstance',
            index=models.Index(condition=models.Q(('state__in', ('running', 'waiting', 'failed', 'undoing'))), fields=['next_at'], name='process_due'),
        ),
        migrations.AddIndex(
            model_name='processinstance',
            index=models.Index(fields=['process', '-id'], name='process_instances'),
        ),
        migrations.AddIndex(
            model_name='processinstance',
            index=models.Index(fields=['record_id'], name='process_by_record'),
        ),
        migrations.AddConstraint(
            model_name='processinstance',
            constraint=models.UniqueConstraint(fields=('process', 'cause'), name='process_started_once_by_a_cause'),
        ),
        migrations.AddConstraint(
            model_name='processinstance',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('running', 'waiting', 'failed', 'undoing'))), fields=('process', 'key'), name='process_live_once_for_a_key'),
        ),
        migrations.AddIndex(
            model_name='steprun',
            index=models.Index(condition=models.Q(('state__in', ['failed', 'unsure', 'waiting'])), fields=['state'], name='process_open_steps'),
        ),
        migrations.AddConstraint(
            model_name='steprun',
            constraint=models.UniqueConstraint(fields=('instance', 'step'), name='process_step_once'),
        ),
    ]
