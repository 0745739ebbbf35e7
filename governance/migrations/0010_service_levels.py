"""Business calendars, service levels, and billing rules whose versions never change."""

import django.db.models.deletion
import governance.ordered_json
import simple_history.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


# A version of a billing rule is what an invoice was made by: its table stays, whoever asks, and only its status moves on.
SQL = """
create function governance_keep_billing_rule() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'Version % of a billing rule cannot be deleted', old.number;
  end if;
  if new.table::text is distinct from old.table::text or new.number is distinct from old.number
     or new.rule_id is distinct from old.rule_id or new.note is distinct from old.note then
    raise exception 'Version % of a billing rule cannot be changed', old.number;
  end if;
  return new;
end $$;
create trigger keep_billing_rule before update or delete on governance_billingruleversion
  for each row execute function governance_keep_billing_rule();
"""
UNDO = "drop trigger keep_billing_rule on governance_billingruleversion; drop function governance_keep_billing_rule();"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_domains'),
        ('connectors', '0003_retry_policy'),
        ('governance', '0009_rulesets'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BillingRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('purpose', models.CharField(choices=[('milestone', 'Milestone billing'), ('threshold', 'Approved-time threshold'), ('rate', 'Rate card precedence'), ('other', 'Another decision')], default='other', max_length=10)),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.domain')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='BusinessCalendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('time_zone', models.CharField(default='UTC', max_length=60)),
                ('hours', models.JSONField(blank=True, default=dict)),
                ('holidays', models.JSONField(blank=True, default=list)),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='governance.businesscalendar')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalBillingRule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('purpose', models.CharField(choices=[('milestone', 'Milestone billing'), ('threshold', 'Approved-time threshold'), ('rate', 'Rate card precedence'), ('other', 'Another decision')], default='other', max_length=10)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('domain', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.domain')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical billing rule',
                'verbose_name_plural': 'historical billing rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalBusinessCalendar',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('time_zone', models.CharField(default='UTC', max_length=60)),
                ('hours', models.JSONField(blank=True, default=dict)),
                ('holidays', models.JSONField(blank=True, default=list)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('parent', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='governance.businesscalendar')),
            ],
            options={
                'verbose_name': 'historical business calendar',
                'verbose_name_plural': 'historical business calendars',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalServiceLevel',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('owner', models.CharField(blank=True, max_length=120)),
                ('measure', models.CharField(choices=[('latency', 'Latency: a change reaches a system in time'), ('freshness', 'Freshness: what the hub knows is never older than that'), ('completeness', 'Completeness: every record is at a system'), ('duration', 'Process duration: a new record is set up everywhere in time'), ('availability', 'Time of availability: the data is there by a time of day')], max_length=15)),
                ('condition', models.JSONField(blank=True, default=dict)),
                ('warn_seconds', models.PositiveIntegerField(default=0)),
                ('breach_seconds', models.PositiveIntegerField(default=0)),
                ('due_time', models.CharField(blank=True, max_length=5)),
                ('objective_percent', models.DecimalField(decimal_places=3, default=Decimal('99'), max_digits=6)),
                ('window', models.CharField(choices=[('week', 'Week'), ('month', 'Month'), ('quarter', 'Quarter')], default='month', max_length=7)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('calendar', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='governance.businesscalendar')),
                ('domain', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.domain')),
                ('entity', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='governance.entity')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='connectors.system')),
                ('target', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='connectors.system')),
            ],
            options={
                'verbose_name': 'historical service level',
                'verbose_name_plural': 'historical service levels',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='ServiceLevel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('owner', models.CharField(blank=True, max_length=120)),
                ('measure', models.CharField(choices=[('latency', 'Latency: a change reaches a system in time'), ('freshness', 'Freshness: what the hub knows is never older than that'), ('completeness', 'Completeness: every record is at a system'), ('duration', 'Process duration: a new record is set up everywhere in time'), ('availability', 'Time of availability: the data is there by a time of day')], max_length=15)),
                ('condition', models.JSONField(blank=True, default=dict)),
                ('warn_seconds', models.PositiveIntegerField(default=0)),
                ('breach_seconds', models.PositiveIntegerField(default=0)),
                ('due_time', models.CharField(blank=True, max_length=5)),
                ('objective_percent', models.DecimalField(decimal_places=3, default=Decimal('99'), max_digits=6)),
                ('window', models.CharField(choices=[('week', 'Week'), ('month', 'Month'), ('quarter', 'Quarter')], default='month', max_length=7)),
                ('calendar', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='service_levels', to='governance.businesscalendar')),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.domain')),
                ('entity', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='service_levels', to='governance.entity')),
                ('source', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='connectors.system')),
                ('target', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='connectors.system')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='BillingRuleVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', max_length=8)),
                ('table', governance.ordered_json.OrderedJSONField()),
                ('note', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='governance.billingrule')),
            ],
            options={
                'ordering': ['rule', '-number'],
                'constraints': [models.UniqueConstraint(fields=('rule', 'number'), name='billing_rule_version_once'), models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('rule',), name='one_active_billing_rule_version')],
            },
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
