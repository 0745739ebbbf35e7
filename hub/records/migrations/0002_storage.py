"""Ids in blocks, and room in the pages for updates that touch no index."""

from django.db import migrations

SQL = """
-- One nextval gives a page its ids, known before they are copied.
create sequence records_canonical_seq increment 2000;
grant usage on sequence records_canonical_seq to syncline_engine;
alter table records_canonicalrecord set (fillfactor = 90);
alter table records_crosswalk set (fillfactor = 90);
"""


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
