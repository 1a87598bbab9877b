"""From the bytes of a message to its symbol, as far as the peer that received it can tell.

Each function takes what the peer knows before the message, and a message that it then learns from. What can't be told
has all bits of its fact set. A message whose lengths do not add up says nothing but that.

Source: RFC 5246 section 7; RFC 8422 section 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.key_exchange import signed_params
from shakeproof.impl.tls.suites import TLS_1_2
from shakeproof.impl.tls.wire import Reader
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.properties.mapper import finite_field, read_certificates, registry, stock
from shakeproof.properties.mapper.certificates import CertificateDefect
from shakeproof.properties.mapper.choices import CERTIFICATE_TYPES, groups_offered, schemes_offered
from shakeproof.properties.mapper.concretise import CHAIN_DEFECTS, certificate_detail
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.hypotheses import FINISHED_KEYS, Keys
from shakeproof.properties.mapper.keys import KeyKind, Owner, private_key
from shakeproof.properties.mapper.read_hellos import read_client_hello, read_server_hello
from shakeproof.properties.mapper.readings import (
    Reading,
    alert,
    application_data,
    bits_of,
    bytes_text,
    change_cipher_spec,
    grouped,
    symbol_of,
)
from shakeproof.properties.mapper.sessions import parse_ticket_body

__all__ = ["alert", "application_data", "change_cipher_spec", "handshake"]


def handshake(context: Context, message: bytes) -> Reading:
    """What a whole handshake message of the target says; the context learns from it, and its transcript grows."""
    handshake_type, body = message[0], message[codec.HEADER_LENGTH :]
    if handshake_type == codec.HandshakeType.CLIENT_HELLO and context.may_begin:
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


def _hello_request(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.HelloRequest, _done(body)))


def _done(body: bytes) -> int:
    return (alphabet.overfull if body else alphabet.empty).bit


# ------------------------------------------------------------------------------------------------ the server's flight

_CHAIN_VALUES = {defect: value for value, defect in CHAIN_DEFECTS.items()} | {
    CertificateDefect.ISSUER_EXPIRED: alphabet.expired  # the nearest that the alphabet has
}


_SEEN_WITHOUT_ANCHORS = {
    alphabet.empty_chain,
    alphabet.broken_chain,
    alphabet.wrong_key_type,
    alphabet.wrong_usage,
    alphabet.wrong_eku,
}


@lru_cache(maxsize=256)
def _chain_defects(
    der: tuple[bytes, ...], time: datetime, name: str, anchors: tuple[bytes, ...]
) -> frozenset[CertificateDefect]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a target's certificate is a finding, not a warning
        return read_certificates.classify(der, time, name, anchors)


_OF_A_SERVER = frozenset({CertificateDefect.WRONG_NAME, CertificateDefect.NO_SAN})


def _is_accompanied(context: Context, der: tuple[bytes, ...]) -> bool:
    """Whether the chain holds once one certificate above the leaf is left out."""
    options = context.options
    passed = frozenset() if context.is_client else _OF_A_SERVER
    return len(der) > 2 and any(
        not _chain_defects((*der[:place], *der[place + 1 :]), options.time, options.server_name, options.anchors)
        - passed
        for place in range(1, min(len(der), MOST_LEFT_OUT))
    )


MOST_LEFT_OUT = 8
"""Certificates that are tried: a peer may send thousands."""


@lru_cache(maxsize=256)
def _leaf(der: bytes) -> tuple[object, x509.KeyUsage | None, frozenset[x509.ObjectIdentifier]]:
    """The public key, the key usage, and what else it is for, as far as it says; (None, None, nothing) where it can't
    be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaf = x509.load_der_x509_certificate(der)
            try:
                usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
            except x509.ExtensionNotFound:
                usage = None
            try:
                purposes = frozenset(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
            except x509.ExtensionNotFound:
                purposes = frozenset()
            return leaf.public_key(), usage, purposes
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        return None, None, frozenset()


def _certificate(context: Context, body: bytes) -> Reading:
    try:
        message = codec.Certificate.parse(body)
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.Certificate, alphabet.broken_chain.bit, alphabet.alone.bit), error.got)
    der = message.certificate_list
    options = context.options
    found = _chain_defects(der, options.time, options.server_name, options.anchors)
    if not context.is_client:
        found -= _OF_A_SERVER  # nobody said which client it has to be
    company = alphabet.alone
    if found and _is_accompanied(context, der):
        found, company = frozenset(), alphabet.accompanied
    defects = {_CHAIN_VALUES[defect] for defect in found}
    key: object = None
    if der and alphabet.broken_chain not in defects:
        key, usage, purposes = _leaf(der[0])
        if not _is_wanted(context, key):
            if context.chosen or not context.is_client:  # before a suite is chosen no kind of key is wrong
                defects.add(alphabet.wrong_key_type)
        elif usage is not None and not _fits(usage, context):
            defects.add(alphabet.wrong_usage)
        if not _is_for_peer(purposes, context):
            defects.add(alphabet.wrong_eku)
        elif options.watches:
            defects.discard(alphabet.wrong_eku)
    if context.is_client:
        context.certificate = message
        context.server_key = key
    else:
        context.client_key = key
    if not options.anchors:  # nobody said whom to trust
        defects &= _SEEN_WITHOUT_ANCHORS
    bits = bits_of(alphabet.CHAIN, defects) if defects or options.anchors else alphabet.CHAIN.mask
    company = company if bits == alphabet.trusted.bit else alphabet.alone
    return Reading(symbol_of(alphabet.Certificate, bits, company.bit), certificate_detail(der, len(body)))


def _is_wanted(context: Context, key: object) -> bool:
    """Whether the key is of the kind that the suite, or the stand-in for it, needs, or that a client was asked for."""
    kind = _key_kind(key)
    if not context.is_client:
        asked = context.request.certificate_types if context.request is not None else bytes(CERTIFICATE_TYPES.values())
        return kind is not None and CERTIFICATE_TYPES[kind] in asked
    return kind == stock.kind_of(context.suite.authentication)


def _key_kind(key: object) -> KeyKind | None:
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    return "ecdsa" if isinstance(key, ec.EllipticCurvePublicKey) else None


def _fits(usage: x509.KeyUsage, context: Context) -> bool:
    """RFC 5246 section 7.4.2: key transport needs keyEncipherment, whatever is signed digitalSignature."""
    return usage.key_encipherment if context.is_client and context.uses_rsa else usage.digital_signature


def _is_for_peer(purposes: frozenset[x509.ObjectIdentifier], context: Context) -> bool:
    """RFC 5280 section 4.2.1.12: it is for the part in TLS that the peer plays, if it says what it is for."""
    oids = ExtendedKeyUsageOID
    needed = oids.SERVER_AUTH if context.is_client else oids.CLIENT_AUTH
    return not purposes or context.options.watches or bool(purposes & {needed, oids.ANY_EXTENDED_KEY_USAGE})


def _server_key_exchange(context: Context, body: bytes) -> Reading:
    parsed = _params(context, body)
    if parsed is None:
        broken = symbol_of(alphabet.ServerKeyExchange, alphabet.broken_params.bit)
        return Reading(broken, f"{bytes_text(len(body))} that can't be decoded")
    found: list[Value] = []
    hello, group, field = context.client_hello, parsed.group, parsed.field
    if hello is not None:
        groups = groups_offered(hello)
        if group is not None and groups is not None and group not in groups:
            found.append(alphabet.alien_group)
        if parsed.scheme is not None and parsed.scheme not in schemes_offered(hello):
            found.append(alphabet.alien_scheme)
    if group is not None and stock.is_on_curve(group, parsed.public) is False:
        found.append(alphabet.bad_point)
    if field is not None and field.is_weak:
        found.append(alphabet.weak_group)
    if field is not None and finite_field.is_flawed(field.prime, field.share):
        found.append(alphabet.bad_share)
    covered = signed_params(context.client_random, context.server_random, parsed.params)
    if context.server_key is None:  # no key to verify with: sound as far as can be told, or not
        bits = bits_of(alphabet.SERVER_PARAMS, found) if found else alphabet.SERVER_PARAMS.mask
    else:
        if not stock.verifies(context.server_key, parsed.scheme, parsed.signature, covered):
            found.append(alphabet.forged_signature)
        bits = bits_of(alphabet.SERVER_PARAMS, found)
    if context.is_client:
        context.group, context.params = group, field
        context.server_public = parsed.public
        context.temporary_rsa = group is None and field is None
    what = registry.GROUP_NAMES.get(group, f"group {group}") if group is not None else "RSA parameters"
    what = field.name if field is not None else what
    return Reading(symbol_of(alphabet.ServerKeyExchange, bits), f"{what}, {scheme_text(parsed.scheme)}")


def scheme_text(scheme: int | None) -> str:
    """The standard's name, or the number."""
    if scheme is None:
        return "signed as before TLS 1.2"
    return registry.SCHEME_NAMES.get(scheme, f"scheme 0x{scheme:04x}")


@dataclass(frozen=True)
class _Params:
    """Signed parameters: of a curve, of a finite field, or a temporary RSA key. scheme: None before TLS 1.2, where the
    kind of the key says it.
    """

    params: bytes
    scheme: int | None
    signature: bytes
    group: int | None = None
    public: bytes = b""
    field: finite_field.Params | None = None


def _params(context: Context, body: bytes) -> _Params | None:
    """By the suite's own form, else by whatever form fits; None where none does."""
    forms = [_ecdhe_params, _field_params, _rsa_params]
    if context.server_hello is not None and context.server_hello.server_version < TLS_1_2:
        forms = [_older_ecdhe_params, _older_field_params]
    elif context.uses_dhe:
        forms = [_field_params, _ecdhe_params, _rsa_params]
    elif context.uses_rsa:
        forms = [_rsa_params, _ecdhe_params, _field_params]
    for form in forms:
        try:
            return form(body)
        except RemoteProtocolError:
            continue
    return None


def _ecdhe_params(body: bytes) -> _Params:
    message = codec.EcdheServerKeyExchange.parse(body)
    return _Params(message.params, message.algorithm, message.signature, message.group, message.public)


def _field_params(body: bytes) -> _Params:
    reader = Reader(body, "ServerKeyExchange", "RFC 5246 section 7.4.3")
    field = finite_field.parse(reader)
    return _signed(reader, body[: reader.position], field)


def _rsa_params(body: bytes) -> _Params:
    """ServerRSAParams of export suites, which RFC 5246 no longer has (RFC 2246 section 7.4.3)."""
    reader = Reader(body, "ServerKeyExchange", "RFC 2246 section 7.4.3")
    reader.vector(2, 1)
    reader.vector(2, 1)
    return _signed(reader, body[: reader.position], None)


def _older_ecdhe_params(body: bytes) -> _Params:
    """As in TLS 1.2 (RFC 8422 section 5.4), but what is signed names no algorithm (RFC 5246 section 1.2)."""
    reader = Reader(body, "ServerKeyExchange", "RFC 8422 section 5.4")
    reader.uint(1)  # of a named curve, or nothing that follows fits
    group, public = reader.uint(2), reader.vector(1, 1)
    return _older_signed(reader, _Params(body[: reader.position], None, b"", group, public))


def _older_field_params(body: bytes) -> _Params:
    reader = Reader(body, "ServerKeyExchange", "RFC 5246 section 7.4.3")
    field = finite_field.parse(reader)
    return _older_signed(reader, _Params(body[: reader.position], None, b"", field=field))


def _older_signed(reader: Reader, params: _Params) -> _Params:
    signature = reader.vector(2)
    reader.finish()
    return replace(params, signature=signature)


def _signed(reader: Reader, params: bytes, field: finite_field.Params | None) -> _Params:
    scheme = reader.uint(2)
    signature = reader.vector(2)
    reader.finish()
    return _Params(params, scheme, signature, field=field)


def _certificate_request(context: Context, body: bytes) -> Reading:
    try:
        request = codec.CertificateRequest.parse(body)
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.CertificateRequest, alphabet.broken_request.bit), error.got)
    if context.is_client:
        context.request = request
    return Reading(symbol_of(alphabet.CertificateRequest, alphabet.well_formed.bit))


def _server_hello_done(context: Context, body: bytes) -> Reading:
    return Reading(symbol_of(alphabet.ServerHelloDone, _done(body)))


def _new_session_ticket(context: Context, body: bytes) -> Reading:
    try:
        lifetime_s, ticket = parse_ticket_body(body)
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.NewSessionTicket, alphabet.broken_ticket.bit), error.got)
    if context.is_client:
        context.ticket = ticket
    value = alphabet.granted if ticket else alphabet.withdrawn
    detail = f"a ticket of {bytes_text(len(ticket))}, for {grouped(lifetime_s)} seconds"
    return Reading(symbol_of(alphabet.NewSessionTicket, value.bit), detail)


# ------------------------------------------------------------------------------------------------ the client's flight


def _client_key_exchange(context: Context, body: bytes) -> Reading:
    reader = Reader(body, "ClientKeyExchange", "RFC 5246 section 7.4.7")
    long_form = context.uses_rsa or context.uses_dhe
    if not context.chosen and body[:1]:  # the form follows from the suite; without one, from its first byte
        long_form = body[0] != len(body) - 1
    try:
        data = reader.vector(2 if long_form else 1, 1)
        reader.finish()
    except RemoteProtocolError as error:
        context.received_pre_master = None
        return Reading(symbol_of(alphabet.ClientKeyExchange, alphabet.broken_secret.bit), error.got)
    if not long_form:
        value, secret, detail = _derive(context, data)
    elif context.uses_dhe:
        value, secret, detail = _share(context, data)
    else:
        value, secret, detail = _unwrap(context, data)
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


def _share(context: Context, data: bytes) -> tuple[int, bytes | None, str]:
    prime = context.params.prime if context.params is not None else finite_field.prime_of(finite_field.FFDHE2048)
    share = int.from_bytes(data, "big")
    value = alphabet.bad_public if finite_field.is_flawed(prime, share) else alphabet.wrapped
    detail = context.params.name if context.params is not None else ""
    return value.bit, finite_field.secret(prime, share, context.is_client), detail


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
    reader = Reader(body, "CertificateVerify", "RFC 5246 section 7.4.8")
    try:
        scheme, signature = reader.uint(2), reader.vector(2)
        reader.finish()
    except RemoteProtocolError as error:
        return Reading(symbol_of(alphabet.CertificateVerify, alphabet.broken_proof.bit), error.got)
    value = alphabet.proven
    if context.client_key is not None and not stock.verifies(
        context.client_key, scheme, signature, b"".join(context.transcript)
    ):
        value = alphabet.unproven
    elif context.request is not None and scheme not in context.request.signature_algorithms:
        value = alphabet.alien_proof
    bits = alphabet.PROOF.mask if value is alphabet.proven and context.client_key is None else value.bit
    return Reading(symbol_of(alphabet.CertificateVerify, bits), scheme_text(scheme))


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
    context.peer_finished = True
    return reading


_READERS: dict[int, Callable[[Context, bytes], Reading]] = {
    codec.HandshakeType.HELLO_REQUEST: _hello_request,
    codec.HandshakeType.CLIENT_HELLO: read_client_hello,
    codec.HandshakeType.SERVER_HELLO: read_server_hello,
    codec.HandshakeType.NEW_SESSION_TICKET: _new_session_ticket,
    codec.HandshakeType.CERTIFICATE: _certificate,
    codec.HandshakeType.SERVER_KEY_EXCHANGE: _server_key_exchange,
    codec.HandshakeType.CERTIFICATE_REQUEST: _certificate_request,
    codec.HandshakeType.SERVER_HELLO_DONE: _server_hello_done,
    codec.HandshakeType.CERTIFICATE_VERIFY: _certificate_verify,
    codec.HandshakeType.CLIENT_KEY_EXCHANGE: _client_key_exchange,
    codec.HandshakeType.FINISHED: _finished,
}
