"""Until when a server's certificate is valid."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from hub.common.egress import open_socket
from hub.common.errors import HubError
from hub.common.wire import parse_url

TIMEOUT_SECONDS = 5.0


def ends_at(address: str, allowed_networks: Sequence[str] = ()) -> datetime | None:
    """The end of the certificate at an https address; None where there is none, or where it cannot be had."""
    if not address.startswith("https://"):
        return None
    target = parse_url(address)
    host = target.url.host.decode()
    context = ssl.create_default_context()
    # Only its date is read: whether it is trusted is judged whenever data is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            open_socket(host, target.port, allowed_networks, timeout_seconds=TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            found = secure.getpeercert(binary_form=True)
    except (HubError, OSError):
        return None
    return x509.load_der_x509_certificate(found).not_valid_after_utc if found else None
