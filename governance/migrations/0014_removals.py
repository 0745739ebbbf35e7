"""A removal is proposed as a document that is not there; secrets that were typed with an edit wait beside it, sealed; a seat may wait for one person."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import governance.ordered_json
import hub.common.encryption

# The hash of a removal is empty, which no document has: so approvals bind it, and an edit into a document voids them.
GUARD = r"""
create or replace function change_item_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform change_is_under_review(old.change_id);
    return old;
  end if;
  perform change_is_under_review(new.change_id);
  if tg_op = 'UPDATE' and (new.change_id, new.kind, new.key) is distinct from (old.change_id, old.kind, old.key) then
    raise exception 'An item stays with its change and its object.';
  end if;
  new.proposed_hash := coalesce(encode(sha256(convert_to(new.proposed::text, 'UTF8')), 'hex'), '');
  return new;
end $$;
"""
BEFORE = GUARD.replace(
    "coalesce(encode(sha256(convert_to(new.proposed::text, 'UTF8')), 'hex'), '')",
    "encode(sha256(convert_to(new.proposed::text, 'UTF8')), 'hex')",
)


class Migration(migrations.Migration):
    dependencies = [("governance", "0013_firm")]

    operations = [
        migrations.AlterField(
            model_name="changeitem",
            name="proposed",
            field=governance.ordered_json.OrderedJSONField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="changeitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("base__isnull", False), ("proposed__isnull", False), _connector="OR"),
                name="only_what_is_there_is_removed",
            ),
        ),
        migrations.CreateModel(
            name="SealedSecrets",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("values", hub.common.encryption.EncryptedJSONField(default=dict)),
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sealed",
                        to="governance.changeitem",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="reviewseat",
            name="asked",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(GUARD, BEFORE),
    ]
