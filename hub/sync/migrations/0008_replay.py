"""Dead letters of both legs as one view, and the jobs that put them again with their items."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

VIEW = """
create view sync_dead_letter with (security_invoker = true) as
select 'out-' || d.sync_id || '-' || d.record_id as id, 'out' as leg, d.sync_id, d.record_id, null::text as external_id,
  c.key as name,
  case d.state when 1 then 'retrying' when 2 then 'unsure' when 3 then 'waiting' when 4 then 'held' else 'dead' end as state,
  coalesce(d.error_code, '') as error_code, coalesce(d.error_detail, '') as error_detail, '' as field,
  d.version, d.attempts::integer as attempts,
  case when d.state = 1 or (d.state = 2 and d.next_at < '9999-01-01 00:00:00+00') then d.next_at end as acts_at,
  -- What is stopped is due since it stopped; of the others the ledger knows when they failed.
  case when d.state in (1, 2) then coalesce(
    (select max(t.at) from sync_transaction t where t.record_id = d.record_id and t.sync_id = d.sync_id
      and t.outcome between 5 and 10),
    least(d.next_at, now())) else d.next_at end as failed_at,
  c.amount, c.currency, c.customer, c.project, d.missing_key,
  d.target_ref is not null or d.delivered_version is not null or exists (
    select 1 from sync_sync s join mappings_mapping m on m.id = s.mapping_id
    join records_crosswalk x on x.stream_id = m.stream_id and x.record_id = d.record_id where s.id = d.sync_id) as is_known,
  true as is_kept,
  (select t.version from sync_transaction t where t.record_id = d.record_id and t.sync_id = d.sync_id and t.batch_id > 0
    order by t.id desc limit 1) as ran_version,
  (select b.mapping_version_id from sync_transaction t join sync_batch b on b.id = t.batch_id
    where t.record_id = d.record_id and t.sync_id = d.sync_id order by t.id desc limit 1) as ran_mapping_id,
  (select b.contract_version_id from sync_transaction t join sync_batch b on b.id = t.batch_id
    where t.record_id = d.record_id and t.sync_id = d.sync_id order by t.id desc limit 1) as ran_contract_id
from sync_delivery d join records_canonicalrecord c on c.id = d.record_id
where d.state in (2, 3, 4, 5) or (d.state = 1 and d.attempts > 0)
union all
select 'in-' || h.sync_id || '-' || h.external_id, 'in', h.sync_id, null::bigint, h.external_id, h.external_id,
  case h.state when 1 then 'quarantined' when 2 then 'waiting' else 'held' end,
  h.error_code, h.error_detail, h.field, null::integer, null::integer, null::timestamptz, h.last_at,
  h.amount, h.currency, null::text, null::text, h.missing_key, false,
  -- As hub.sync.trouble.why_not_tried: without an id, or only the beginning of its text.
  not (h.external_id like '#%' or (h.body ? 'raw' and h.body - 'raw' = '{}'::jsonb)),
  null::integer,
  (select b.mapping_version_id from sync_transaction t join sync_batch b on b.id = t.batch_id
    where t.id = h.transaction_id limit 1),
  (select b.contract_version_id from sync_transaction t join sync_batch b on b.id = t.batch_id
    where t.id = h.transaction_id limit 1)
from sync_heldrecord h where h.state in (1, 2, 3);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0009_removals'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.TextField(primary_key=True, serialize=False)),
                ('leg', models.TextField(choices=[('in', 'Read'), ('out', 'Delivered')])),
                ('external_id', models.TextField(null=True)),
                ('name', models.TextField()),
                ('state', models.TextField()),
                ('error_code', models.TextField()),
                ('error_detail', models.TextField()),
                ('field', models.TextField()),
                ('version', models.IntegerField(null=True)),
                ('attempts', models.IntegerField(null=True)),
                ('acts_at', models.DateTimeField(null=True)),
                ('failed_at', models.DateTimeField()),
                ('amount', models.DecimalField(decimal_places=4, max_digits=19, null=True)),
                ('currency', models.TextField(null=True)),
                ('customer', models.TextField(null=True)),
                ('project', models.TextField(null=True)),
                ('missing_key', models.TextField(null=True)),
                ('is_known', models.BooleanField()),
                ('is_kept', models.BooleanField()),
                ('ran_version', models.IntegerField(null=True)),
                ('ran_mapping_id', models.BigIntegerField(null=True)),
                ('ran_contract_id', models.BigIntegerField(null=True)),
            ],
            options={
                'db_table': 'sync_dead_letter',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Replay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(choices=[('retry', 'Put again'), ('recover', 'Recover'), ('discard', 'Discard')], default='retry', max_length=8)),
                ('filter', models.JSONField(default=dict)),
                ('sync_ids', models.JSONField(default=list)),
                ('fingerprint', models.CharField(max_length=32)),
                ('token', models.CharField(max_length=64, null=True, unique=True)),
                ('versions', models.CharField(choices=[('current', 'The current versions'), ('as_ran', 'The versions it ran with')], default='current', max_length=8)),
                ('scope', models.CharField(choices=[('failed', 'Only what failed'), ('start', 'From the start')], default='failed', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('state', models.CharField(choices=[('needs_approval', 'Needs approval'), ('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled')], default='running', max_length=16)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('plan', models.JSONField(default=dict)),
                ('planned', models.IntegerField(default=0)),
                ('left', models.IntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('epoch', models.IntegerField(default=0)),
                ('looked_at', models.BigIntegerField(default=0)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ReplayItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('leg', models.CharField(max_length=3)),
                ('record_id', models.BigIntegerField(null=True)),
                ('external_id', models.TextField(db_collation='C', null=True)),
                ('name', models.TextField()),
                ('was', models.CharField(max_length=12)),
                ('version', models.IntegerField(null=True)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=19, null=True)),
                ('currency', models.TextField(null=True)),
                ('act', models.CharField(choices=[('send', 'Sent again'), ('try', 'Tried again'), ('ask', 'The target is asked'), ('discard', 'Discarded'), ('start', 'The sync is started'), ('leave', 'Left to a person')], max_length=8)),
                ('status', models.SmallIntegerField(choices=[(1, 'Planned'), (2, "Taken through its source's mapping"), (3, 'Put again'), (4, 'Done'), (5, 'Failed again'), (6, 'Skipped'), (7, 'Left to a person')])),
                ('mapping_version_id', models.BigIntegerField(null=True)),
                ('contract_version_id', models.BigIntegerField(null=True)),
                ('through_id', models.BigIntegerField(null=True)),
                ('note', models.TextField(blank=True)),
                ('replay', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='sync.replay')),
                ('sync', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sync.sync')),
            ],
        ),
        migrations.AddConstraint(
            model_name='replay',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['needs_approval', 'running'])), fields=('fingerprint',), name='one_open_replay_a_filter'),
        ),
        migrations.AddIndex(
            model_name='replayitem',
            index=models.Index(fields=['replay', 'status', 'id'], name='replayitem_next'),
        ),
        migrations.AddIndex(
            model_name='replayitem',
            index=models.Index(condition=models.Q(('leg', 'out'), ('mapping_version_id__isnull', False), ('status__in', [2, 3])), fields=['sync', 'record_id'], name='replayitem_pinned_out'),
        ),
        migrations.AddIndex(
            model_name='replayitem',
            index=models.Index(condition=models.Q(('leg', 'in'), ('mapping_version_id__isnull', False), ('status__in', [2, 3])), fields=['sync', 'external_id'], name='replayitem_pinned_in'),
        ),
        migrations.AddConstraint(
            model_name='replayitem',
            constraint=models.UniqueConstraint(condition=models.Q(('leg', 'out'), ('status__in', [1, 2])), fields=('sync', 'record_id'), name='delivery_in_one_replay'),
        ),
        migrations.AddConstraint(
            model_name='replayitem',
            constraint=models.UniqueConstraint(condition=models.Q(('leg', 'in'), ('status', 1)), fields=('sync', 'external_id'), name='held_in_one_replay'),
        ),
        migrations.RunSQL(VIEW, "drop view sync_dead_letter"),
    ]
