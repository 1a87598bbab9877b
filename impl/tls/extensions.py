"""Hello extensions: their block, and the contents of those that we know.

Source: RFC 5246 section 7.4.1.4; RFC 6066 section 3; RFC 8422 section 5.1; RFC 7301 section 3.1; RFC 7627 section 5.1;
RFC 5746 section 3.2; RFC 7366 section 2; RFC 5077 section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.wire import Reader, uints, vector

HOST_NAME = 0
UNCOMPRESSED = 0


class ExtensionType(IntEnum):
    """Extensions that we know of; any other number is carried as it is."""

    SERVER_NAME = 0
    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
    ENCRYPT_THEN_MAC = 22
    EXTENDED_MASTER_SECRET = 23
    SESSION_TICKET = 35
    RENEGOTIATION_INFO = 0xFF01


@dataclass(frozen=True)
class Extension:
    """One extension: its type and its undecoded data."""

    extension_type: int
    data: bytes

    def encode(self) -> bytes:
        """Type, length, data."""
        return self.extension_type.to_bytes(2, "big") + vector(self.data, 2)


def extension_name(extension_type: int) -> str:
    """The standard's name, or the number."""
    try:
        return ExtensionType(extension_type).name.lower()
    except ValueError:
        return f"extension {extension_type}"


def encode_extensions(extensions: Sequence[Extension] | None) -> bytes:
    """The block with its length; nothing at all for None."""
    if extensions is None:
        return b""
    return vector(b"".join([extension.encode() for extension in extensions]), 2)


def parse_extensions(reader: Reader) -> tuple[Extension, ...] | None:
    """The block that ends a hello; None where there is none. The same type twice is an illegal_parameter.

    Source: RFC 5246 sections 7.4.1.2 and 7.4.1.4 ("There MUST NOT be more than one extension of the same type").
    """
    if not reader.remaining:
        return None
    block = Reader(reader.vector(2), f"{reader.what} extensions", "RFC 5246 section 7.4.1.4")
    found: dict[int, Extension] = {}
    while block.position < block.end:
        extension_type = block.uint(2)
        extension = Extension(extension_type, block.vector(2))
        if extension_type in found:
            raise RemoteProtocolError(
                AlertDescription.ILLEGAL_PARAMETER,
                expected="at most one extension of each type",
                got=f"{extension_name(extension_type)} twice",
                clause="RFC 5246 section 7.4.1.4",
            )
        found[extension_type] = extension
    return tuple(found.values())


# --- contents ---------------------------------------------------------------------------------------------------------


def server_name(host: str) -> Extension:
    """server_name with one host_name, for a ClientHello (RFC 6066 section 3). Raises ValueError if not ASCII."""
    name = host.encode("ascii")
    entry = bytes((HOST_NAME,)) + vector(name, 2)
    return Extension(ExtensionType.SERVER_NAME, vector(entry, 2))


def parse_server_name(data: bytes) -> str | None:
    """The host_name of a ClientHello's server_name; None where only other name types are in it."""
    reader = Reader(data, "server_name", "RFC 6066 section 3")
    names = Reader(reader.vector(2, 1), "server_name_list", "RFC 6066 section 3")
    reader.finish()
    seen: dict[int, bytes] = {}
    while names.remaining:
        name_type = names.uint(1)
        name = names.vector(2, 1)
        if name_type in seen:
            raise _illegal("at most one name of each type", f"two of type {name_type}", "RFC 6066 section 3")
        seen[name_type] = name
    host = seen.get(HOST_NAME)
    if host is None:
        return None
    if not host.isascii() or b"\0" in host:
        raise _illegal("a host name in ASCII", repr(host), "RFC 6066 section 3")
    return host.decode("ascii")


def supported_groups(groups: Sequence[int]) -> Extension:
    """supported_groups, in order of preference (RFC 8422 section 5.1.1)."""
    return Extension(ExtensionType.SUPPORTED_GROUPS, uints(groups, 2, 2))


def parse_supported_groups(data: bytes) -> tuple[int, ...]:
    """The groups, known or not."""
    return _only_uints(data, 2, 2, 2, "supported_groups", "RFC 8422 section 5.1.1")


def ec_point_formats(formats: Sequence[int] = (UNCOMPRESSED,)) -> Extension:
    """ec_point_formats (RFC 8422 section 5.1.2)."""
    return Extension(ExtensionType.EC_POINT_FORMATS, uints(formats, 1, 1))


def parse_ec_point_formats(data: bytes) -> tuple[int, ...]:
    """The point formats, known or not."""
    return _only_uints(data, 1, 1, 1, "ec_point_formats", "RFC 8422 section 5.1.2")


def signature_algorithms(algorithms: Sequence[int]) -> Extension:
    """signature_algorithms, hash and signature as one 16-bit number (RFC 5246 section 7.4.1.4.1)."""
    return Extension(ExtensionType.SIGNATURE_ALGORITHMS, uints(algorithms, 2, 2))


def parse_signature_algorithms(data: bytes) -> tuple[int, ...]:
    """The pairs, known or not."""
    return _only_uints(data, 2, 2, 2, "signature_algorithms", "RFC 5246 section 7.4.1.4.1")


def application_layer_protocol_negotiation(protocols: Sequence[str]) -> Extension:
    """ALPN: the client's list, or the one protocol that a server chose (RFC 7301 section 3.1)."""
    names = b"".join([vector(protocol.encode("ascii"), 1) for protocol in protocols])
    return Extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, vector(names, 2))


def parse_application_layer_protocol_negotiation(data: bytes) -> tuple[bytes, ...]:
    """The protocol names: opaque, not empty."""
    reader = Reader(data, "application_layer_protocol_negotiation", "RFC 7301 section 3.1")
    names = Reader(reader.vector(2, 2), "protocol_name_list", "RFC 7301 section 3.1")
    reader.finish()
    protocols = []
    while names.remaining:
        protocols.append(names.vector(1, 1))
    return tuple(protocols)


def extended_master_secret() -> Extension:
    """extended_master_secret: empty (RFC 7627 section 5.1)."""
    return Extension(ExtensionType.EXTENDED_MASTER_SECRET, b"")


def encrypt_then_mac() -> Extension:
    """encrypt_then_mac: empty (RFC 7366 section 2)."""
    return Extension(ExtensionType.ENCRYPT_THEN_MAC, b"")


def session_ticket(ticket: bytes = b"") -> Extension:
    """SessionTicket: the ticket itself, without a length; empty to ask for one or to promise one (RFC 5077, 3.2)."""
    return Extension(ExtensionType.SESSION_TICKET, ticket)


def renegotiation_info(renegotiated_connection: bytes = b"") -> Extension:
    """renegotiation_info; empty in an initial handshake (RFC 5746 section 3.2)."""
    return Extension(ExtensionType.RENEGOTIATION_INFO, vector(renegotiated_connection, 1))


def parse_renegotiation_info(data: bytes) -> bytes:
    """renegotiated_connection."""
    reader = Reader(data, "renegotiation_info", "RFC 5746 section 3.2")
    value = reader.vector(1)
    reader.finish()
    return value


def parse_empty(data: bytes, what: str, clause: str) -> None:
    """Contents that must be empty: extended_master_secret, encrypt_then_mac; server_name, SessionTicket of a server."""
    Reader(data, what, clause).finish()


def _only_uints(data: bytes, width: int, length_bytes: int, minimum: int, what: str, clause: str) -> tuple[int, ...]:
    reader = Reader(data, what, clause)
    values = reader.uints(width, length_bytes, minimum)
    reader.finish()
    return values


def _illegal(expected: str, got: str, clause: str) -> RemoteProtocolError:
    return RemoteProtocolError(AlertDescription.ILLEGAL_PARAMETER, expected=expected, got=got, clause=clause)
