"""A project's or a customer's records without reading all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0002_ordered_schema'),
        ('records', '0003_reveal'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='canonicalrecord',
            index=models.Index(condition=models.Q(('project__isnull', False)), fields=['project', 'entity'], name='records_by_project'),
        ),
        migrations.AddIndex(
            model_name='canonicalrecord',
            index=models.Index(condition=models.Q(('customer__isnull', False)), fields=['customer', 'entity'], name='records_by_customer'),
        ),
    ]
