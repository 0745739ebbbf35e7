from __future__ import annotations

from django import forms


class UploadForm(forms.Form):
    """A workbook or a CSV file."""

    file = forms.FileField(
        label="File",
        help_text="A workbook (.xlsx) or CSV, of at most 10 MB and 20,000 rows. The first row holds the headings.",
        widget=forms.ClearableFileInput(attrs={"accept": ".xlsx,.csv,.txt"}),
    )
    decimal = forms.ChoiceField(
        label="Decimal sign",
        choices=[(".", "1,250.50"), (",", "1.250,50")],
        initial=".",
        help_text="How amounts are written that stand as text, as in a CSV file. Numbers of a workbook need no answer.",
    )
