"""What a retry policy would do, while it is typed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from connectors.retry_form import RetryForm
from hub.common.permissions import requires


@requires("connections.edit")
@require_GET
def retry_preview(request: HttpRequest) -> HttpResponse:
    """The preview for what stands in the fields, or what is wrong with them."""
    return render(request, "connectors/_retry_preview.html", {"form": RetryForm(request.GET)})
