"""What a ClientHello or a ServerHello says, as far as the peer that received it can tell.

Source: RFC 5246 sections 7.4.1.2 to 7.4.1.4; RFC 5077 section 3.2; RFC 5746 sections 3.4 to 3.7; RFC 7507 section 3;
RFC 7627 section 5.3.
"""

from __future__ import annotations

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import Extension, ExtensionType, parse_renegotiation_info
from shakeproof.impl.tls.suites import (
    SUITES,
    TLS_1_2,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    TLS_FALLBACK_SCSV,
    KeyExchange,
)
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.properties.mapper import registry
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.hellos import accept_server_hello, is_echo, promises
from shakeproof.properties.mapper.readings import Reading, bits_of, symbol_of, visible
from shakeproof.properties.mapper.sessions import asked, name_of, names

SHOWN_SUITES = 4
SIGNALS = (TLS_EMPTY_RENEGOTIATION_INFO_SCSV, TLS_FALLBACK_SCSV)
"""Codes among the suites that are no suites."""
VERSION_NAMES = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
OFFERS = {
    KeyExchange.RSA: alphabet.offers_rsa,
    KeyExchange.ECDHE: alphabet.offers_ecdhe,
    KeyExchange.DHE: alphabet.offers_dhe,
}
CHOICES = {KeyExchange.RSA: alphabet.rsa, KeyExchange.ECDHE: alphabet.ecdhe, KeyExchange.DHE: alphabet.dhe}


def read_client_hello(context: Context, body: bytes) -> Reading:
    """What a ClientHello says."""
    try:
        hello = codec.ClientHello.parse(body)
        info = _renegotiation(hello.extensions)
    except RemoteProtocolError as error:
        rest = (fact.mask for fact in alphabet.ClientHello.facts[1:])
        return Reading(symbol_of(alphabet.ClientHello, alphabet.broken_hello.bit, *rest), error.got)
    exchanges = {registry.key_exchange_of(code) for code in hello.cipher_suites} - {None}
    offer = alphabet.offers_several.bit
    if len(exchanges) < 2:
        offer = next((OFFERS[one].bit for one in exchanges if one is not None), alphabet.OFFER.mask)
    wanted = asked(hello, context.options.session)
    found = _client_hello_defects(context, hello, info, wanted)
    if not context.is_client:
        context.client_hello = hello
        context.client_random = hello.random
    return Reading(
        symbol_of(
            alphabet.ClientHello,
            bits_of(alphabet.CLIENT_HELLO, found),
            offer,
            (alphabet.extended if hello.extensions else alphabet.bare).bit,
            wanted.bit,
        ),
        _client_hello_detail(hello),
    )


def _client_hello_defects(context: Context, hello: codec.ClientHello, info: bytes | None, wanted: Value) -> list[Value]:
    codes = hello.cipher_suites
    known = context.options.suites or SUITES.values()
    expected = context.client_verify_data if context.is_connected else b""
    missing = context.is_connected and context.secure and info is None and bool(hello.extensions)
    held = context.options.session
    resumes = wanted in (alphabet.by_id, alphabet.by_ticket, alphabet.by_other_name)
    old = hello.client_version < TLS_1_2
    falls_back = TLS_FALLBACK_SCSV in codes
    seen = {
        alphabet.old_version: old and not falls_back,
        alphabet.no_common_suite: not any(suite.code in codes for suite in known),
        alphabet.no_null_compression: codec.NULL_COMPRESSION not in hello.compression_methods,
        alphabet.renegotiation_claimed: missing or (info is not None and info != expected),
        alphabet.signalled_again: context.is_connected and TLS_EMPTY_RENEGOTIATION_INFO_SCSV in codes,
        alphabet.fallback: old and falls_back,
        alphabet.bond_dropped: resumes
        and held is not None
        and held.extended
        and hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) is None,
    }
    return [value for value, present in seen.items() if present]


def _client_hello_detail(hello: codec.ClientHello) -> str:
    parts = [version_name(hello.client_version)]
    codes = [code for code in hello.cipher_suites if code not in SIGNALS]
    few = len(codes) <= SHOWN_SUITES
    parts.append(", ".join(map(registry.suite_name, codes)) if few else f"{len(codes)} cipher suites")
    if hello.extension(ExtensionType.SERVER_NAME) is not None:
        parts.append(visible(name_of(hello)) or "no host name in server_name")
    return ", ".join(part for part in parts if part)


def version_name(version: int) -> str:
    """The standard's name, or the number."""
    return VERSION_NAMES.get(version, f"version 0x{version:04x}")


def _renegotiation(extensions: tuple[Extension, ...] | None) -> bytes | None:
    """The contents of renegotiation_info; None without it. Raises RemoteProtocolError."""
    for extension in extensions or ():
        if extension.extension_type == ExtensionType.RENEGOTIATION_INFO:
            return parse_renegotiation_info(extension.data)
    return None


def read_server_hello(context: Context, body: bytes) -> Reading:
    """What a ServerHello says."""
    try:
        answer = codec.ServerHello.parse(body)
        info = _renegotiation(answer.extensions)
    except RemoteProtocolError as error:
        rest = (fact.mask for fact in alphabet.ServerHello.facts[1:])
        return Reading(symbol_of(alphabet.ServerHello, alphabet.broken_answer.bit, *rest), error.got)
    defects = _server_hello_defects(context, answer, info)
    exchange = registry.key_exchange_of(answer.cipher_suite)
    kind = alphabet.KEY_EXCHANGE.mask if exchange is None else CHOICES[exchange].bit
    echo = is_echo(context.client_hello, answer)
    if context.is_client:
        accept_server_hello(context, answer)
    detail = registry.suite_name(answer.cipher_suite)
    if answer.server_version != TLS_1_2:
        detail = f"{version_name(answer.server_version)}, {detail}"
    return Reading(
        symbol_of(
            alphabet.ServerHello,
            defects,
            kind,
            (alphabet.resumed if echo else alphabet.full).bit,
            (alphabet.promised if promises(answer) else alphabet.unpromised).bit,
        ),
        detail,
    )


def _server_hello_defects(context: Context, answer: codec.ServerHello, info: bytes | None) -> int:
    hello = context.client_hello
    expected = context.client_verify_data + context.server_verify_data if context.is_connected else b""
    forged = info is not None and info != expected
    if hello is None:  # there is nothing to compare with
        return alphabet.renegotiation_forged.bit if forged else alphabet.SERVER_HELLO.mask
    asked_for = {extension.extension_type for extension in hello.extensions or ()}
    if TLS_EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites or forged:
        asked_for.add(ExtensionType.RENEGOTIATION_INFO)
    alien = answer.cipher_suite not in hello.cipher_suites or answer.cipher_suite in SIGNALS
    held = context.options.session if is_echo(hello, answer) and names(hello, context.options.session) else None
    bound = answer.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None
    seen = {
        alphabet.alien_suite: alien,
        alphabet.alien_version: answer.server_version > hello.client_version,
        alphabet.alien_compression: answer.compression_method not in hello.compression_methods,
        alphabet.alien_extension: any(
            extension.extension_type not in asked_for for extension in answer.extensions or ()
        ),
        alphabet.renegotiation_forged: forged,
        alphabet.renegotiation_dropped: context.is_connected and context.secure and info is None,
        alphabet.changed_suite: held is not None and not alien and answer.cipher_suite != held.suite.code,
        alphabet.bond_changed: held is not None and bound != held.extended,
    }
    return bits_of(alphabet.SERVER_HELLO, [value for value, present in seen.items() if present])
