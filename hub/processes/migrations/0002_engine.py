"""Which kind a step is, whether it is being taken back, what roles are told; and notes that nobody rewrites."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KINDS = """
update processes_steprun r set kind = s.value->>'kind'
from processes_processinstance i join processes_processversion v on v.id = i.version_id,
  jsonb_array_elements(v.definition->'steps') s
where i.id = r.instance_id and s.value->>'name' = r.step
"""

# A person who leaves is taken out of `by`; what was said stays.
NOTES = """
create function processes_note_stays() returns trigger language plpgsql as $$
begin
  raise exception 'What happened to a process is not rewritten (note %).', old.id using errcode = 'check_violation';
end $$;
create trigger processes_note_stays before update on processes_processnote for each row
when ((old.instance_id, old.step, old.what, old.detail, old.at) is distinct from
      (new.instance_id, new.step, new.what, new.detail, new.at))
execute function processes_note_stays();
"""
NOTES_BACK = """
drop trigger processes_note_stays on processes_processnote;
drop function processes_note_stays();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('processes', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='steprun',
            name='is_undo',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='steprun',
            name='kind',
            field=models.CharField(db_default='', default='', max_length=10),
        ),
        migrations.CreateModel(
            name='ProcessMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(max_length=60)),
                ('role', models.CharField(choices=[('integration_admin', 'Integration admin'), ('approver', 'Approver'), ('finance', 'Finance'), ('operator', 'Operator'), ('auditor', 'Auditor'), ('viewer', 'Viewer')], max_length=32)),
                ('text', models.TextField()),
                ('at', models.DateTimeField()),
                ('seen_at', models.DateTimeField(null=True)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='processes.processinstance')),
                ('seen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('seen_at__isnull', True)), fields=['role'], name='process_messages_unseen')],
            },
        ),
        migrations.RunSQL(KINDS, migrations.RunSQL.noop),
        migrations.RunSQL(NOTES, NOTES_BACK),
    ]
