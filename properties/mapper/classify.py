"""From the bytes of a message to its symbol, as far as the peer that received it can tell.

Each function takes what the peer knows before the message, and a message that it then learns from. What can't be told
has all bits of its fact set. A message whose lengths do not add up says nothing but that.

Source: RFC 5246 section 7; RFC 8422 section 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import Extension, ExtensionType, parse_renegotiation_info, parse_server_name
from shakeproof.impl.tls.key_exchange import signed_params
from shakeproof.impl.tls.suites import SUITES, TLS_1_2, TLS_EMPTY_RENEGOTIATION_INFO_SCSV, KeyExchange
from shakeproof.impl.tls.wire import Reader
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.properties.mapper import certificates, registry, stock
from shakeproof.properties.mapper.certificates import CertificateDefect
from shakeproof.properties.mapper.choices import groups_offered, schemes_offered
from shakeproof.properties.mapper.concretise import CHAIN_DEFECTS, accept_server_hello, certificate_detail
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.hypotheses import FINISHED_KEYS, Keys
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.mapper.readings import (
    Reading,
    alert,
    application_data,
    bits_of,
    bytes_text,
    change_cipher_spec,
    symbol_of,
    visible,
)

__all__ = ["alert", "application_data", "change_cipher_spec", "handshake"]

SHOWN_SUITES = 4
VERSION_NAMES = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


def handshake(context: Context, message: bytes) -> Reading:
    """What a whole handshake message of the target says; the context learns from it, and its transcript grows."""
    handshake_type, body = message[0], message[codec.HEADER_LENGTH :]
    if handshake_type == codec.HandshakeType.CLIENT_HELLO and context.is_connected:
        context.begin_handshake()
    reader = _READERS.get(handshake_type)
    if reader is None:
        name = codec.message_name(handshake_type)
        reading = Reading(symbol_of(alphabet.UnknownHandshake), f"{name}, {bytes_text(len(body))}")
    else:
        reading = reader(context, body)
    if handshake_type != codec.HandshakeType.HELLO_REQUEST:  # never part of the transcript (section 7.4.1.1)
        context.transcript.append(message)
    if handshake_type == codec.HandshakeType.CLIENT_KEY_EXCHANGE and not context.is_client:
        # After the message itself, which the session hash covers (RFC 7627 section 3).
        context.agree(context.received_pre_master)
    return reading


# ---------------------------------------------------------------------------------------------------------- the hellos


def _hello_request(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.HelloRequest, _done(body)))


def _done(body: bytes) -> int:
    return (alphabet.overfull if body else alphabet.empty).bit


def _client_hello(context: Context, body: bytes) -> Reading:
    try:
        hello = codec.ClientHello.parse(body)
        info = _renegotiation(hello.extensions)
    except RemoteProtocolError as error:
        broken = alphabet.broken_hello.bit
        return Reading(
            symbol_of(alphabet.ClientHello, broken, alphabet.OFFER.mask, alphabet.EXTENSIONS.mask), error.got
        )
    codes = hello.cipher_suites
    exchanges = {registry.key_exchange_of(code) for code in codes}
    known = context.options.suites or SUITES.values()
    expected = context.client_verify_data if context.is_connected else b""
    found: list[Value] = []
    if hello.client_version < TLS_1_2:
        found.append(alphabet.old_version)
    if not any(suite.code in codes for suite in known):
        found.append(alphabet.no_common_suite)
    if codec.NULL_COMPRESSION not in hello.compression_methods:
        found.append(alphabet.no_null_compression)
    if info and info != expected:
        found.append(alphabet.renegotiation_claimed)
    if KeyExchange.RSA in exchanges and KeyExchange.ECDHE in exchanges:
        offer = alphabet.offers_both.bit
    elif KeyExchange.RSA in exchanges:
        offer = alphabet.offers_rsa.bit
    elif KeyExchange.ECDHE in exchanges:
        offer = alphabet.offers_ecdhe.bit
    else:
        offer = alphabet.OFFER.mask
    if not context.is_client:
        context.client_hello = hello
        context.client_random = hello.random
    return Reading(
        symbol_of(
            alphabet.ClientHello,
            bits_of(alphabet.CLIENT_HELLO, found),
            offer,
            (alphabet.extended if hello.extensions else alphabet.bare).bit,
        ),
        _client_hello_detail(hello),
    )


def _client_hello_detail(hello: codec.ClientHello) -> str:
    parts = [_version_name(hello.client_version)]
    codes = [code for code in hello.cipher_suites if code != TLS_EMPTY_RENEGOTIATION_INFO_SCSV]
    few = len(codes) <= SHOWN_SUITES
    parts.append(", ".join(map(registry.suite_name, codes)) if few else f"{len(codes)} cipher suites")
    data = hello.extension(ExtensionType.SERVER_NAME)
    if data is not None:
        try:
            parts.append(visible(parse_server_name(data) or ""))
        except RemoteProtocolError:
            parts.append("an undecodable server_name")
    return ", ".join(part for part in parts if part)


def _version_name(version: int) -> str:
    return VERSION_NAMES.get(version, f"version 0x{version:04x}")


def _renegotiation(extensions: tuple[Extension, ...] | None) -> bytes | None:
    """The contents of renegotiation_info; None without it. Raises RemoteProtocolError."""
    for extension in extensions or ():
        if extension.extension_type == ExtensionType.RENEGOTIATION_INFO:
            return parse_renegotiation_info(extension.data)
    return None


def _server_hello(context: Context, body: bytes) -> Reading:
    try:
        answer = codec.ServerHello.parse(body)
        info = _renegotiation(answer.extensions)
    except RemoteProtocolError as error:
        broken = alphabet.broken_answer.bit
        return Reading(symbol_of(alphabet.ServerHello, broken, alphabet.KEY_EXCHANGE.mask), error.got)
    defects = _server_hello_defects(context, answer, info)
    exchange = registry.key_exchange_of(answer.cipher_suite)
    if exchange is None:
        kind = alphabet.KEY_EXCHANGE.mask
    else:
        kind = (alphabet.rsa if exchange is KeyExchange.RSA else alphabet.ecdhe).bit
    if context.is_client:
        accept_server_hello(context, answer, answer.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None)
    detail = registry.suite_name(answer.cipher_suite)
    if answer.server_version != TLS_1_2:
        detail = f"{_version_name(answer.server_version)}, {detail}"
    return Reading(symbol_of(alphabet.ServerHello, defects, kind), detail)


def _server_hello_defects(context: Context, answer: codec.ServerHello, info: bytes | None) -> int:
    hello = context.client_hello
    expected = context.client_verify_data + context.server_verify_data if context.is_connected else b""
    forged = [alphabet.renegotiation_forged] if info and info != expected else []
    if hello is None:  # there is nothing to compare with
        return bits_of(alphabet.SERVER_HELLO, forged) if forged else alphabet.SERVER_HELLO.mask
    found: list[Value] = []
    if answer.cipher_suite not in hello.cipher_suites or answer.cipher_suite == TLS_EMPTY_RENEGOTIATION_INFO_SCSV:
        found.append(alphabet.alien_suite)
    if answer.server_version > hello.client_version:
        found.append(alphabet.alien_version)
    if answer.compression_method not in hello.compression_methods:
        found.append(alphabet.alien_compression)
    asked = {extension.extension_type for extension in hello.extensions or ()}
    if TLS_EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites or forged:
        asked.add(ExtensionType.RENEGOTIATION_INFO)
    if any(extension.extension_type not in asked for extension in answer.extensions or ()):
        found.append(alphabet.alien_extension)
    return bits_of(alphabet.SERVER_HELLO, found + forged)


# ------------------------------------------------------------------------------------------------ the server's flight

_CHAIN_VALUES = {defect: value for value, defect in CHAIN_DEFECTS.items()} | {
    CertificateDefect.ISSUER_EXPIRED: alphabet.expired  # the nearest that the alphabet has
}


_SEEN_WITHOUT_ANCHORS = {
    alphabet.empty_chain,
    alphabet.broken_chain,
    alphabet.wrong_key_type,
    alphabet.wrong_usage,
}


@lru_cache(maxsize=256)
def _chain_defects(
    der: tuple[bytes, ...], time: datetime, name: str, anchors: tuple[bytes, ...]
) -> frozenset[CertificateDefect]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a target's certificate is a finding, not a warning
        return certificates.classify(der, time, name, anchors)


@lru_cache(maxsize=256)
def _leaf(der: bytes) -> tuple[object, x509.KeyUsage | None]:
    """The public key and key usage; (None, None) where it can't be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaf = x509.load_der_x509_certificate(der)
            try:
                usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
            except x509.ExtensionNotFound:
                usage = None
            return leaf.public_key(), usage
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        return None, None


def _certificate(context: Context, body: bytes) -> Reading:
    try:
        message = codec.Certificate.parse(body)
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.Certificate, alphabet.broken_chain.bit), error.got)
    der = message.certificate_list
    options = context.options
    defects = {
        _CHAIN_VALUES[defect] for defect in _chain_defects(der, options.time, options.server_name, options.anchors)
    }
    key: object = None
    if der and alphabet.broken_chain not in defects:
        key, usage = _leaf(der[0])
        if context.is_client:  # a server has not said what a client's certificate must be
            if _key_kind(key) != stock.kind_of(context.suite.authentication):
                if context.chosen:
                    defects.add(alphabet.wrong_key_type)
            elif usage is not None and not _fits(usage, context):
                defects.add(alphabet.wrong_usage)
    if context.is_client:
        context.certificate = message
        context.server_key = key
    if not options.anchors:  # nobody said whom to trust
        defects &= _SEEN_WITHOUT_ANCHORS
    bits = bits_of(alphabet.CHAIN, defects) if defects or options.anchors else alphabet.CHAIN.mask
    return Reading(symbol_of(alphabet.Certificate, bits), certificate_detail(der, len(body)))


def _key_kind(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    return "ecdsa" if isinstance(key, ec.EllipticCurvePublicKey) else ""


def _fits(usage: x509.KeyUsage, context: Context) -> bool:
    """RFC 5246 section 7.4.2: key transport needs keyEncipherment, signed parameters digitalSignature."""
    return usage.key_encipherment if context.uses_rsa else usage.digital_signature


def _server_key_exchange(context: Context, body: bytes) -> Reading:
    parsed = _rsa_params(body) if context.uses_rsa else None
    if parsed is None:
        parsed = _ecdhe_params(body)
    if parsed is None:
        parsed = _rsa_params(body)
    if parsed is None:
        broken = symbol_of(alphabet.ServerKeyExchange, alphabet.broken_params.bit)
        return Reading(broken, f"{bytes_text(len(body))} that can't be decoded")
    group, public, params, scheme, signature = parsed
    found: list[Value] = []
    hello = context.client_hello
    if hello is not None:
        groups = groups_offered(hello)
        if group is not None and groups is not None and group not in groups:
            found.append(alphabet.alien_group)
        if scheme not in schemes_offered(hello):
            found.append(alphabet.alien_scheme)
    if group is not None and stock.is_on_curve(group, public) is False:
        found.append(alphabet.bad_point)
    covered = signed_params(context.client_random, context.server_random, params)
    if context.server_key is None:  # no key to verify with: sound as far as can be told, or not
        bits = bits_of(alphabet.SERVER_PARAMS, found) if found else alphabet.SERVER_PARAMS.mask
    else:
        if not stock.verifies(context.server_key, scheme, signature, covered):
            found.append(alphabet.forged_signature)
        bits = bits_of(alphabet.SERVER_PARAMS, found)
    if context.is_client:
        context.group = group
        context.server_public = public
        context.temporary_rsa = group is None
    what = registry.GROUP_NAMES.get(group, f"group {group}") if group is not None else "RSA parameters"
    detail = f"{what}, {registry.SCHEME_NAMES.get(scheme, f'scheme 0x{scheme:04x}')}"
    return Reading(symbol_of(alphabet.ServerKeyExchange, bits), detail)


_Params = tuple[int | None, bytes, bytes, int, bytes]


def _ecdhe_params(body: bytes) -> _Params | None:
    try:
        message = codec.EcdheServerKeyExchange.parse(body)
    except RemoteProtocolError:
        return None
    return message.group, message.public, message.params, message.algorithm, message.signature


def _rsa_params(body: bytes) -> _Params | None:
    """ServerRSAParams of export suites, which RFC 5246 no longer has (RFC 2246 section 7.4.3)."""
    reader = Reader(body, "ServerKeyExchange", "RFC 2246 section 7.4.3")
    try:
        reader.vector(2, 1)
        reader.vector(2, 1)
        params = body[: reader.position]
        scheme = reader.uint(2)
        signature = reader.vector(2)
        reader.finish()
    except RemoteProtocolError:
        return None
    return None, b"", params, scheme, signature


def _certificate_request(context: Context, body: bytes) -> Reading:
    reader = Reader(body, "CertificateRequest", "RFC 5246 section 7.4.4")
    try:
        reader.vector(1, 1)
        reader.uints(2, 2, 2)
        names = Reader(reader.vector(2), "certificate_authorities", "RFC 5246 section 7.4.4")
        while names.remaining:
            names.vector(2, 1)
        reader.finish()
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.CertificateRequest, alphabet.broken_request.bit), error.got)
    return Reading(symbol_of(alphabet.CertificateRequest, alphabet.well_formed.bit))


def _server_hello_done(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.ServerHelloDone, _done(body)))


def _new_session_ticket(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.NewSessionTicket), f"{bytes_text(len(body))}")


# ------------------------------------------------------------------------------------------------ the client's flight


def _client_key_exchange(context: Context, body: bytes) -> Reading:
    reader = Reader(body, "ClientKeyExchange", "RFC 5246 section 7.4.7")
    rsa_form = context.uses_rsa
    if not context.chosen and body[:1]:  # the form follows from the suite; without one, from its first byte
        rsa_form = body[0] != len(body) - 1
    try:
        data = reader.vector(2 if rsa_form else 1, 1)
        reader.finish()
    except RemoteProtocolError as error:
        context.received_pre_master = None
        return Reading(symbol_of(alphabet.ClientKeyExchange, alphabet.broken_secret.bit), error.got)
    value, secret, detail = _unwrap(context, data) if rsa_form else _derive(context, data)
    context.received_pre_master = secret
    return Reading(symbol_of(alphabet.ClientKeyExchange, value), detail)


def _unwrap(context: Context, encrypted: bytes) -> tuple[int, bytes | None, str]:
    detail = f"RSA, {bytes_text(len(encrypted))}"
    owned = context.own_key or private_key("rsa", Owner.LEAF)
    keys = [stock.temporary_rsa_key()] if context.temporary_rsa else []
    if isinstance(owned, rsa.RSAPrivateKey):
        keys.append(owned)
    secret: bytes | None = None
    for key in keys:
        padded, secret = stock.decrypt_block(key, encrypted, context.version)
        if padded:
            right = secret[:2] == context.version.to_bytes(2, "big")
            return (alphabet.wrapped if right else alphabet.bad_version).bit, secret, detail
    return alphabet.bad_block.bit, secret, detail


def _derive(context: Context, public: bytes) -> tuple[int, bytes | None, str]:
    group = context.group
    if group is None:  # no ServerKeyExchange named one
        group = stock.X25519 if len(public) == len(stock.off_curve(stock.X25519, False)) else stock.SECP256R1
    detail = registry.GROUP_NAMES.get(group, f"group {group}")
    if stock.is_on_curve(group, public) is not True:
        secret = bytes(len(public)) if group == stock.X25519 and not any(public) else None
        return alphabet.off_curve.bit, secret, detail
    if context.group is None and isinstance(context.own_key, ec.EllipticCurvePrivateKey):
        # A client that misses ServerKeyExchange may take the certificate's key instead.
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        return alphabet.wrapped.bit, context.own_key.exchange(ec.ECDH(), point), detail
    return alphabet.wrapped.bit, stock.ephemeral(group, context.is_client).exchange(public), detail


def _certificate_verify(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.CertificateVerify), f"{bytes_text(len(body))}")


def _finished(context: Context, body: bytes) -> Reading:
    of_client = not context.is_client
    detail = f"{bytes_text(len(body))} of verify_data"
    if len(body) != context.suite.verify_data_length:
        reading = Reading(symbol_of(alphabet.Finished, alphabet.broken_finished.bit), detail)
    else:
        honest = context.resolve(Keys.HONEST)
        assumed = context.resolve(context.hypothesis.finished)
        order = dict.fromkeys((honest, assumed, *map(context.resolve, FINISHED_KEYS)))
        worked = next((keys for keys in order if body == context.verify_data(keys, of_client)), None)
        value = alphabet.match if worked in (honest, assumed) else alphabet.mismatch
        reading = Reading(symbol_of(alphabet.Finished, value.bit), detail, worked)
    if of_client:
        context.client_verify_data = body
    else:
        context.server_verify_data = body
    return reading


_READERS: dict[int, Callable[[Context, bytes], Reading]] = {
    codec.HandshakeType.HELLO_REQUEST: _hello_request,
    codec.HandshakeType.CLIENT_HELLO: _client_hello,
    codec.HandshakeType.SERVER_HELLO: _server_hello,
    codec.HandshakeType.NEW_SESSION_TICKET: _new_session_ticket,
    codec.HandshakeType.CERTIFICATE: _certificate,
    codec.HandshakeType.SERVER_KEY_EXCHANGE: _server_key_exchange,
    codec.HandshakeType.CERTIFICATE_REQUEST: _certificate_request,
    codec.HandshakeType.SERVER_HELLO_DONE: _server_hello_done,
    codec.HandshakeType.CERTIFICATE_VERIFY: _certificate_verify,
    codec.HandshakeType.CLIENT_KEY_EXCHANGE: _client_key_exchange,
    codec.HandshakeType.FINISHED: _finished,
}
