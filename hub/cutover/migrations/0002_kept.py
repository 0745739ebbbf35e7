"""The history of switches is only added to."""

from django.db import migrations

KEEP = """
create function cutover_move_is_kept() returns trigger language plpgsql as $$
begin
  raise exception 'A switch of a cut-over is never changed or deleted.' using errcode = 'restrict_violation';
end $$;
create trigger cutover_move_is_kept before update or delete on cutover_cutovermove
  for each row execute function cutover_move_is_kept();
"""
LEAVE = "drop trigger cutover_move_is_kept on cutover_cutovermove; drop function cutover_move_is_kept();"


class Migration(migrations.Migration):
    dependencies = [("cutover", "0001_initial")]
    operations = [migrations.RunSQL(KEEP, LEAVE)]
