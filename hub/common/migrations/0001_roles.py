"""The roles that web and workers step down to, and their rights on every table that later migrations make."""

from django.db import migrations

# Rights are given to roles, never to the owner's login: neither process can alter a table or read what is revoked.
ROLES = """
do $$
begin
  if not exists (select from pg_roles where rolname = 'syncline_engine') then
    begin
      create role syncline_engine bypassrls;
    exception when insufficient_privilege then
      create role syncline_engine;
    end;
  end if;
  if not exists (select from pg_roles where rolname = 'syncline_web') then
    create role syncline_web;
  end if;
exception
  when duplicate_object then null;
  when insufficient_privilege then
    raise exception 'The database user % may not create roles. Let an administrator run: create role syncline_engine bypassrls; create role syncline_web; grant syncline_engine, syncline_web to %; or set HUB_DB_ROLES=off', current_user, current_user;
end $$;
do $$
begin
  if not pg_has_role(current_user, 'syncline_engine', 'member') then
    execute format('grant syncline_engine, syncline_web to %I', current_user);
  end if;
end $$;
grant usage on schema public to syncline_web, syncline_engine;
grant select, insert, update, delete on all tables in schema public to syncline_web, syncline_engine;
alter default privileges in schema public grant select, insert, update, delete on tables to syncline_web, syncline_engine;
alter default privileges in schema public grant usage, select on sequences to syncline_web, syncline_engine;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    run_before = [
        ("contenttypes", "0001_initial"),
        ("auth", "0001_initial"),
        ("sessions", "0001_initial"),
        ("axes", "0001_initial"),
        ("accounts", "0001_initial"),
        ("connectors", "0001_initial"),
        ("governance", "0001_initial"),
        ("mappings", "0001_initial"),
        ("records", "0001_initial"),
        ("sync", "0001_initial"),
    ]
    operations = [migrations.RunSQL(ROLES, migrations.RunSQL.noop)]
