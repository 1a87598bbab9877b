"""The bytes of ClientHello and ServerHello, honest or with any of their defects, in any handshake of a connection.

Source: RFC 5246 sections 7.4.1.2 to 7.4.1.4; RFC 5077 section 3.2; RFC 5746 sections 3.4 to 3.7; RFC 7366 section 2;
RFC 7507 section 4; RFC 7627 sections 5.1 and 5.3; RFC 7919 section 3.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import (
    Extension,
    ExtensionType,
    ec_point_formats,
    extended_master_secret,
    renegotiation_info,
    server_name,
    signature_algorithms,
    supported_groups,
)
from shakeproof.impl.tls.suites import (
    FFDHE_CODES,
    SUITES,
    TLS_1_1,
    TLS_1_2,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    TLS_FALLBACK_SCSV,
    Cipher,
    KeyExchange,
)
from shakeproof.impl.tls.wire import vector
from shakeproof.model import messages as alphabet
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import finite_field, registry
from shakeproof.properties.mapper.certificates import other_name
from shakeproof.properties.mapper.choices import choose_suite, is_older, offered_suites, says
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.drafts import Draft
from shakeproof.properties.mapper.encrypt_then_mac import ENCRYPT_THEN_MAC
from shakeproof.properties.mapper.sessions import SESSION_TICKET, derived, names, session_ticket

DEFLATE = 1
UNOFFERED_COMPRESSIONS = (DEFLATE, 64, 2)
FORGED_RENEGOTIATION = b"not renegotiated"[:12]
ALIEN_EXTENSIONS = (
    Extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, vector(vector(b"http/1.1", 1), 2)),
    Extension(1, b"\x01"),  # max_fragment_length (RFC 6066 section 4): 2^9
    Extension(0x5A5A, b""),  # reserved for GREASE (RFC 8701): nobody means anything by it
)
UNKNOWN_TICKET = bytes(range(128))


@lru_cache(maxsize=64)
def _usual_extensions(name: str, groups: tuple[int, ...], schemes: tuple[int, ...], extended: bool) -> list[Extension]:
    found = [] if is_nameless(name) else [server_name(name)]
    if extended:
        found.append(extended_master_secret())
    return [*found, supported_groups(groups), ec_point_formats(), signature_algorithms(schemes)]


def is_nameless(name: str) -> bool:
    """Whether server_name can't carry it: an IP address, or not ASCII."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name.isascii()
    return True


def client_hello(context: Context, symbol: Symbol) -> Draft:
    """A ClientHello."""
    codes = offered_suites(context, symbol)
    if says(symbol, alphabet.fallback):
        codes = (*codes, TLS_FALLBACK_SCSV)
    claimed = says(symbol, alphabet.renegotiation_claimed)
    extensions: list[Extension] | None = None
    if says(symbol, alphabet.extended):
        extensions = _client_extensions(context, symbol, codes, claimed)
    elif claimed:
        extensions = [renegotiation_info(FORGED_RENEGOTIATION)]
    if says(symbol, alphabet.signalled_again):  # forbidden in a renegotiation (RFC 5746 section 3.5)
        codes = (*codes, TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
    hello = codec.ClientHello(
        client_version=TLS_1_1 if is_older(symbol) else TLS_1_2,
        random=context.own_random(),
        session_id=_session_id(context, symbol),
        cipher_suites=codes,
        compression_methods=(DEFLATE,) if says(symbol, alphabet.no_null_compression) else (codec.NULL_COMPRESSION,),
        extensions=tuple(extensions) if extensions is not None else None,
    )
    body = hello.encode_body()
    if says(symbol, alphabet.broken_hello):
        body = _break_hello(body, hello.extensions)

    def sent(context: Context) -> None:
        context.hellos += 1
        if context.is_client:
            context.client_hello = hello
            context.client_random = hello.random

    return Draft(codec.HandshakeType.CLIENT_HELLO, body, ", ".join(map(registry.suite_name, codes)), sent)


def _client_extensions(context: Context, symbol: Symbol, codes: Sequence[int], claimed: bool) -> list[Extension]:
    options = context.options
    info = FORGED_RENEGOTIATION if claimed else context.client_verify_data if context.is_connected else b""
    name = options.server_name
    if says(symbol, alphabet.by_other_name):
        name = other_name(name)
    groups = options.groups
    if any(registry.key_exchange_of(code) is KeyExchange.DHE for code in codes) and not _fields(groups):
        groups = (*groups, finite_field.FFDHE2048)
    bound = options.extended_master_secret and not says(symbol, alphabet.bond_dropped)
    extensions = _usual_extensions(name, groups, options.schemes, bound)
    if claimed or context.secure or not context.is_connected:
        extensions = [renegotiation_info(info), *extensions]
    if options.encrypt_then_mac:
        extensions = [*extensions, Extension(ENCRYPT_THEN_MAC, b"")]
    ticket = _ticket(context, symbol)
    if ticket is not None:
        extensions = [*extensions, session_ticket(ticket)]
    return extensions


def _fields(groups: Sequence[int]) -> list[int]:
    return [group for group in groups if group in FFDHE_CODES]


def _session_id(context: Context, symbol: Symbol) -> bytes:
    """By an id, the session's; with a ticket one of the client's own, so that its echo tells (RFC 5077 section 3.4)."""
    held, seed = context.options.session, context.options.seed
    if says(symbol, alphabet.anew) or says(symbol, alphabet.ticketed):
        return b""
    if says(symbol, alphabet.by_unknown) or held is None or held.ticket:
        return derived(b"a session id", seed)
    return held.session_id


def _ticket(context: Context, symbol: Symbol) -> bytes | None:
    """The data of session_ticket; None where there is none."""
    held = context.options.session
    if says(symbol, alphabet.ticketed):
        return b""
    if says(symbol, alphabet.anew) or held is None or not held.ticket:
        return None
    return UNKNOWN_TICKET if says(symbol, alphabet.by_unknown) else held.ticket


def _break_hello(body: bytes, extensions: Sequence[Extension] | None) -> bytes:
    """The length of the extensions one more than there are; a lone byte where there are none."""
    if extensions is None:
        return body + b"\0"
    length = sum(4 + len(extension.data) for extension in extensions)
    return body[: -length - 2] + (length + 1).to_bytes(2, "big") + body[len(body) - length :]


def server_hello(context: Context, symbol: Symbol) -> Draft:
    """A ServerHello."""
    hello = context.client_hello
    code = choose_suite(context, symbol)
    extensions = _server_extensions(context, symbol, code)
    compression = codec.NULL_COMPRESSION
    if says(symbol, alphabet.alien_compression):
        offered = hello.compression_methods if hello is not None else (codec.NULL_COMPRESSION,)
        compression = registry.first_not_in(UNOFFERED_COMPRESSIONS, offered) or 255
    version = min(context.version, TLS_1_2)
    if says(symbol, alphabet.alien_version):
        version = max(context.version, TLS_1_2) + 1
    session_id = derived(b"a session", context.options.seed) if context.options.gives == "id" else b""
    if says(symbol, alphabet.resumed):
        session_id = hello.session_id if hello is not None else b""
    answer = codec.ServerHello(
        server_version=version,
        random=context.own_random(),
        session_id=session_id,
        cipher_suite=code,
        compression_method=compression,
        extensions=tuple(extensions) if extensions else None,
    )
    body = answer.encode_body()
    if says(symbol, alphabet.broken_answer):
        body = _break_hello(body, answer.extensions)

    def sent(context: Context) -> None:
        context.hellos += 1
        if not context.is_client:
            accept_server_hello(context, answer)

    return Draft(codec.HandshakeType.SERVER_HELLO, body, registry.suite_name(code), sent)


def _server_extensions(context: Context, symbol: Symbol, code: int) -> list[Extension]:
    hello, options = context.client_hello, context.options
    asked = {extension.extension_type for extension in hello.extensions or ()} if hello is not None else None
    suites: Sequence[int] = hello.cipher_suites if hello is not None else ()
    extensions: list[Extension] = []
    forged = says(symbol, alphabet.renegotiation_forged)
    secure = asked is None or ExtensionType.RENEGOTIATION_INFO in asked or TLS_EMPTY_RENEGOTIATION_INFO_SCSV in suites
    if (forged or secure) and not says(symbol, alphabet.renegotiation_dropped):
        info = context.client_verify_data + context.server_verify_data if context.is_connected else b""
        extensions.append(renegotiation_info(FORGED_RENEGOTIATION if forged else info))
    bound = asked is None or ExtensionType.EXTENDED_MASTER_SECRET in asked
    held = options.session if says(symbol, alphabet.resumed) else None
    wanted = held.extended if held is not None else options.extended_master_secret
    if bound and wanted != says(symbol, alphabet.bond_changed):
        extensions.append(extended_master_secret())
    suite = SUITES.get(code)
    padded = suite is not None and suite.cipher is Cipher.AES_CBC
    if options.encrypt_then_mac and padded and (asked is None or ENCRYPT_THEN_MAC in asked):
        extensions.append(Extension(ENCRYPT_THEN_MAC, b""))
    if options.gives and held is None and ExtensionType.SERVER_NAME in (asked or ()):
        extensions.append(Extension(ExtensionType.SERVER_NAME, b""))  # goes by names (RFC 6066 section 3)
    if says(symbol, alphabet.promised):
        extensions.append(session_ticket())
    if says(symbol, alphabet.alien_extension):
        extensions += [item for item in ALIEN_EXTENSIONS if item.extension_type not in (asked or ())][:1]
    return extensions


def accept_server_hello(context: Context, hello: codec.ServerHello) -> None:
    """What both sides remember of a ServerHello."""
    context.server_hello = hello
    context.server_random = hello.random
    context.suite = SUITES.get(hello.cipher_suite, context.suite)
    context.extended = hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None
    context.encrypt_then_mac = hello.extension(ENCRYPT_THEN_MAC) is not None
    if not context.is_connected:
        context.secure = hello.extension(ExtensionType.RENEGOTIATION_INFO) is not None
    context.resumption = context.options.session if resumes(context, hello) else None


def resumes(context: Context, hello: codec.ServerHello) -> bool:
    """Whether the ServerHello resumes the session that the ClientHello asked for, and that is held."""
    first = context.client_hello
    return first is not None and is_echo(first, hello) and names(first, context.options.session)


def is_echo(first: codec.ClientHello | None, hello: codec.ServerHello) -> bool:
    """Whether the ServerHello has the session id of the ClientHello."""
    return first is not None and bool(hello.session_id) and hello.session_id == first.session_id


def promises(hello: codec.ServerHello) -> bool:
    """Whether it says that a ticket follows."""
    return hello.extension(SESSION_TICKET) is not None
