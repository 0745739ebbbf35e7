"""Which addresses outgoing connections may reach: a name is resolved once, every address checked and used as checked.

Private networks are closed unless a connection allows them by CIDR. `ipaddress.is_private` is not used: it lets pass
carrier-grade NAT, NAT64 and some cloud metadata addresses.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache

from hub.common.errors import ConfigError, TransientError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 counterpart
_CLOSED_V4 = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "the provider's internal network",
    "127.0.0.0/8": "this machine",
    "169.254.0.0/16": "the local link",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "a private network",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved addresses",
}
_CLOSED_V6 = {
    "::1/128": "this machine",
    "fc00::/7": "a private network",
    "fe80::/10": "the local link",
    "fec0::/10": "a private network",
    "ff00::/8": "multicast",
    "2001::/23": "protocol assignments and tunnels",
    "2001:db8::/32": "documentation",
    "3fff::/20": "documentation",
}
_CLOSED = {ipaddress.ip_network(cidr): reason for cidr, reason in {**_CLOSED_V4, **_CLOSED_V6}.items()}
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")

# They hand out the credentials of the machine; no connection has business there, whatever its allow-list says.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192"),
            *("168.63.129.16", "fd00:ec2::254", "fd20:ce::254"),
        ),
    )
)
# Where an IPv6 address carries an IPv4 one: the prefix, and the bits below the IPv4 part.
_EMBEDDED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)


def checked_addresses(
    host: str, port: int, allowed_networks: Sequence[str] = (), *, timeout_seconds: float = 10
) -> list[str]:
    """The IP addresses of a host, all of them checked.

    Raises TransientError when the name cannot be resolved, ConfigError when any address is closed to this connection.
    """
    allowed = parse_networks(tuple(allowed_networks))
    addresses = _resolve(host.strip("[]").rstrip("."), port, timeout_seconds)
    for address in addresses:
        _refuse_closed(host, ipaddress.ip_address(address), allowed)
    return addresses


def guarded_socket_address(
    host: str, port: int, allowed_networks: Sequence[str] = (), *, timeout_seconds: float = 10
) -> tuple[str, int]:
    """The checked (IP, port) to connect to in place of a name; raises as `checked_addresses`."""
    return checked_addresses(host, port, allowed_networks, timeout_seconds=timeout_seconds)[0], port


def open_socket(
    host: str, port: int, allowed_networks: Sequence[str] = (), *, timeout_seconds: float = 10
) -> socket.socket:
    """A TCP socket to the first checked address that answers; raises OSError of the last one that does not."""
    addresses = checked_addresses(host, port, allowed_networks, timeout_seconds=timeout_seconds)
    for address in addresses[:-1]:
        try:
            return _connect(address, port, timeout_seconds / len(addresses))
        except OSError:
            continue
    return _connect(addresses[-1], port, timeout_seconds / len(addresses))


def _connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
    # not create_connection(), which would ask the resolver again
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection


@lru_cache(maxsize=256)
def parse_networks(networks: tuple[str, ...]) -> tuple[Network, ...]:
    """CIDR texts as networks; raises ConfigError for one that cannot be read."""
    return tuple(map(_parse_network, networks))


def _parse_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a network.", where="allowed_networks", fix="Write it as 10.1.0.0/16 or 10.1.2.3/32."
        ) from None


def why_closed(address: IPAddress, allowed: Iterable[Network] = ()) -> str:
    """What a closed address belongs to, empty text when it is open."""
    address = _unwrap(address)
    if address in _METADATA:
        return "cloud metadata"
    if any(address in network for network in allowed):
        return ""
    reason = next((why for network, why in _CLOSED.items() if address in network), "")
    if not reason and address.version == 6 and address not in _GLOBAL_V6:
        return "reserved addresses"
    return reason


def _unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        for network, shift in _EMBEDDED:
            if address in network:
                return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return address


def _refuse_closed(host: str, address: IPAddress, allowed: Iterable[Network]) -> None:
    reason = why_closed(address, allowed)
    if reason == "cloud metadata":
        raise ConfigError(
            f"{host} leads to {address}, the metadata service of a cloud machine, which no connection may reach.",
            code="PRIVATE_ADDRESS",
        )
    if reason:
        raise ConfigError(
            f"{host} leads to {address}, which belongs to {reason} and is closed to this connection.",
            fix=f"If the system is meant, add {address}/{address.max_prefixlen} to the connection's allowed networks.",
            code="PRIVATE_ADDRESS",
        )


# --- resolving -----------------------------------------------------------------------------------------------------


def _resolve(host: str, port: int, timeout_seconds: float) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    answer = _ask_resolver(host, port, timeout_seconds)
    if isinstance(answer, list) and answer:
        return answer
    raise TransientError(
        f"The name {host} cannot be resolved: {_resolver_words(answer)}.",
        fix="Check the spelling of the address and the name server of this machine.",
        code="DNS",
    )


def _ask_resolver(host: str, port: int, timeout_seconds: float) -> list[str] | Exception | None:
    """The addresses, the resolver's error, or None when it did not answer in time (it cannot be interrupted)."""
    answers: queue.Queue[list[str] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        return answers.get(timeout=max(timeout_seconds, 0.01))
    except queue.Empty:
        return None


def _resolver_words(answer: list[str] | Exception | None) -> str:
    if answer is None:
        return "the name server does not answer"
    if isinstance(answer, OSError):
        return str(answer.strerror or answer).lower()
    return "it is not a host name"
