"""What the pages ask for: rejected records by external id, what is in trouble; decisions of people; closed partitions.

The indexes are partial or on small tables: they cost nothing on the way of a record that passes.
"""

from django.db import migrations

SQL = """
create index sync_transaction_external on sync_transaction (external_id, id) where record_id is null;
create index sync_delivery_in_trouble on sync_delivery (next_at, sync_id, record_id)
  where state in (2, 3, 4, 5) or (state = 1 and attempts > 0);
create index sync_heldrecord_newest on sync_heldrecord (last_at, sync_id, external_id);

-- The web process may not write the ledger. What a person decides about a record is the exception, and only in these words:
-- created or updated (the record is at the target after all) and discarded. No run, no batch: both are 0.
create function sync_append_decision(
  p_sync bigint, p_record bigint, p_external text, p_key text, p_outcome smallint, p_version integer, p_code text,
  p_detail text, p_ref text, p_amount numeric, p_currency text, p_correlation bigint
) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  number bigint := nextval('sync_transaction_seq');
begin
  if p_outcome not in (1, 2, 11) then
    raise exception 'A decision is created, updated or discarded, not %', p_outcome;
  end if;
  insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, external_id, key,
    outcome, version, error_code, error_detail, target_ref, amount, currency)
  values (number, now(), 0, p_sync, 0, 0, coalesce(p_correlation, number), p_record, p_external, p_key,
    p_outcome, p_version, p_code, p_detail, p_ref, p_amount, p_currency);
  return number;
end $$;
revoke all on function sync_append_decision(
  bigint, bigint, text, text, smallint, integer, text, text, text, numeric, text, bigint) from public;
grant execute on function sync_append_decision(
  bigint, bigint, text, text, smallint, integer, text, text, text, numeric, text, bigint) to syncline_web, syncline_engine;

-- A month's partition is a table of its own, which default privileges would open to both roles: rows are written and read
-- through the ledger only.
create or replace function sync_ensure_partitions(months_ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  first_day date := date_trunc('month', now() at time zone 'utc')::date;
  made integer := 0;
  month integer;
  name text;
begin
  for month in -1 .. months_ahead loop
    name := 'sync_transaction_' || to_char(first_day + make_interval(months => month), 'YYYY_MM');
    if to_regclass(name) is null then
      execute format(
        'create table %I partition of sync_transaction for values from (%L) to (%L)',
        name,
        (first_day + make_interval(months => month))::timestamp at time zone 'utc',
        (first_day + make_interval(months => month + 1))::timestamp at time zone 'utc'
      );
      execute format('revoke all on %I from syncline_web, syncline_engine', name);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
do $$
declare
  name text;
begin
  for name in select inhrelid::regclass::text from pg_inherits where inhparent = 'sync_transaction'::regclass loop
    execute format('revoke all on %s from syncline_web, syncline_engine', name);
  end loop;
end $$;
"""

UNDO = """
drop function sync_append_decision(
  bigint, bigint, text, text, smallint, integer, text, text, text, numeric, text, bigint);
drop index sync_heldrecord_newest, sync_delivery_in_trouble, sync_transaction_external;
"""


class Migration(migrations.Migration):
    dependencies = [("sync", "0002_ledger")]
    operations = [migrations.RunSQL(SQL, UNDO)]
