"""The ledger: partitioned by month, append-only for every role that the application works as."""

from django.db import migrations

SQL = """
create sequence sync_transaction_seq increment 2000;
grant usage on sequence sync_transaction_seq to syncline_engine;

create table sync_transaction (
  id bigint not null,
  at timestamptz not null,
  run_id bigint not null,
  sync_id bigint not null,
  batch_id bigint not null,
  position integer not null,
  correlation_id bigint not null,
  record_id bigint,
  external_id text collate "C",
  key text collate "C",
  outcome smallint not null,
  version integer,
  changed text[],
  refused text[],
  attempt smallint not null default 1,
  error_code text,
  error_detail text,
  target_ref text,
  http_status smallint,
  amount numeric(19, 4),
  currency text,
  source_updated_at text,
  duration_us integer,
  primary key (id, at)
) partition by range (at);
create index sync_transaction_record on sync_transaction (record_id, id);
create index sync_transaction_run on sync_transaction (run_id, id);
create index sync_transaction_troubled on sync_transaction (id) where outcome >= 5;
create index sync_transaction_at on sync_transaction using brin (at);

-- Rows that no month takes are kept, not refused; the function below empties nothing, so a month is made ahead of need.
create table sync_transaction_default partition of sync_transaction default;

-- Runs as its owner, because the roles that call it own no table.
create function sync_ensure_partitions(months_ahead integer) returns integer
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
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
revoke all on function sync_ensure_partitions(integer) from public;
grant execute on function sync_ensure_partitions(integer) to syncline_engine;
select sync_ensure_partitions(3);

revoke insert, update, delete on sync_transaction, sync_transaction_default from syncline_web;
revoke update, delete on sync_transaction, sync_transaction_default from syncline_engine;

alter table sync_delivery set (fillfactor = 80);
-- Already compressed.
alter table sync_batch alter column payload set storage external;
"""


class Migration(migrations.Migration):
    dependencies = [("sync", "0001_initial"), ("common", "0001_roles")]
    operations = [migrations.RunSQL(SQL, "drop table sync_transaction; drop sequence sync_transaction_seq; drop function sync_ensure_partitions(integer)")]
