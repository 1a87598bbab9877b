"""From a symbol to the bytes of a handshake message, honest or with any of its defects, in any state.

Each function takes what the peer knows (see context.py) and gives the message's body; a `Draft` adds what an honest
sender would remember of it. A defect is computed from what was offered: an alien group is one that this very
ClientHello does not list. The hellos are made in `hellos`.

Source: RFC 5246 section 7.4; RFC 5077 section 3.3; RFC 7919 section 3; RFC 8422 section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.key_exchange import signed_params
from shakeproof.impl.tls.suites import KeyExchange
from shakeproof.impl.tls.wire import uints, vector
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import finite_field, registry, stock
from shakeproof.properties.mapper.certificates import CLIENT_NAME, SERVER_NAME, CertificateDefect, Chain, chain
from shakeproof.properties.mapper.choices import (
    CERTIFICATE_TYPES,
    certificate_kind,
    choose_group,
    choose_proof_scheme,
    choose_scheme,
    client_kind,
    elliptic,
    groups_offered,
    kind_of_key,
    own_key,
    says,
)
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.drafts import Draft
from shakeproof.properties.mapper.hellos import client_hello, server_hello
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key
from shakeproof.properties.mapper.readings import grouped
from shakeproof.properties.mapper.sessions import derived, ticket_body

UNKNOWN_HANDSHAKE_TYPE = 99
"""Not assigned by IANA."""
CHAIN_DEFECTS: dict[Value, CertificateDefect] = {
    alphabet.empty_chain: CertificateDefect.EMPTY,
    alphabet.expired: CertificateDefect.EXPIRED,
    alphabet.not_yet_valid: CertificateDefect.NOT_YET_VALID,
    alphabet.wrong_name: CertificateDefect.WRONG_NAME,
    alphabet.untrusted: CertificateDefect.UNTRUSTED,
    alphabet.bad_signature: CertificateDefect.BAD_SIGNATURE,
    alphabet.issuer_not_ca: CertificateDefect.ISSUER_NOT_CA,
    alphabet.wrong_usage: CertificateDefect.WRONG_KEY_USAGE,
    alphabet.self_signed_leaf: CertificateDefect.SELF_SIGNED_LEAF,
    alphabet.missing_intermediate: CertificateDefect.MISSING_INTERMEDIATE,
    alphabet.pathlen_exceeded: CertificateDefect.PATHLEN_EXCEEDED,
    alphabet.wrong_eku: CertificateDefect.WRONG_PURPOSE,
    alphabet.name_excluded: CertificateDefect.NAME_EXCLUDED,
    alphabet.unknown_critical: CertificateDefect.UNKNOWN_CRITICAL,
    alphabet.no_san: CertificateDefect.NO_SAN,
    alphabet.weak_hash: CertificateDefect.WEAK_HASH,
    alphabet.broken_chain: CertificateDefect.MALFORMED,
}


def draft(context: Context, symbol: Symbol, finished: Keys) -> Draft:
    """The handshake message for a symbol. finished: whose secret verify_data is computed from."""
    maker = _MAKERS.get(symbol.message.name)
    if maker is None:
        raise ValueError(f"{symbol.message.name} is no handshake message; expected one of {', '.join(_MAKERS)}")
    if symbol.message is alphabet.Finished:
        return _finished(context, symbol, finished)
    return maker(context, symbol)


def _hello_request(context: Context, symbol: Symbol) -> Draft:
    return Draft(codec.HandshakeType.HELLO_REQUEST, b"\0" if says(symbol, alphabet.overfull) else b"")


# ------------------------------------------------------------------------------------------------ the server's flight


def _certificate(context: Context, symbol: Symbol) -> Draft:
    if context.is_client:
        return _client_certificate(context, symbol)
    kind = certificate_kind(context)
    if says(symbol, alphabet.wrong_key_type):
        kind = other_kind(kind)
    defects = frozenset(defect for value, defect in CHAIN_DEFECTS.items() if says(symbol, value))
    try:
        made = chain(kind, defects, context.options.server_name)
    except ValueError:  # a name that no certificate can carry
        made = chain(kind, defects, SERVER_NAME)
    made = context.shown or made
    der = accompany(made, symbol)

    def sent(context: Context) -> None:
        context.certificate = codec.Certificate(der)
        context.own_key = made.private_key
        context.server_key = made.private_key.public_key()

    return _chain_draft(der, sent)


def accompany(made: Chain, symbol: Symbol) -> tuple[bytes, ...]:
    """The chain as it is sent: where it comes accompanied, with an expired certificate of the leaf's issuer."""
    if not says(symbol, alphabet.accompanied) or len(made.der) < 2:
        return made.der
    expired = chain(made.key, frozenset({CertificateDefect.ISSUER_EXPIRED})).der[1]
    return (made.der[0], expired, *made.der[1:])


def other_kind(kind: KeyKind) -> KeyKind:
    """The other kind of key."""
    return "ecdsa" if kind == "rsa" else "rsa"


def _client_certificate(context: Context, symbol: Symbol) -> Draft:
    kind = client_kind(context)
    if says(symbol, alphabet.wrong_key_type):
        kind = other_kind(kind)
    defects = frozenset(defect for value, defect in CHAIN_DEFECTS.items() if says(symbol, value))
    made = context.shown or chain(kind, defects, CLIENT_NAME, "client")

    def sent(context: Context) -> None:
        context.client_private = made.private_key if made.der else None
        context.client_key = made.private_key.public_key() if made.der else None

    return _chain_draft(accompany(made, symbol), sent)


def _chain_draft(der: tuple[bytes, ...], sent: Callable[[Context], None]) -> Draft:
    body = codec.Certificate(der).encode_body()
    return Draft(codec.HandshakeType.CERTIFICATE, body, certificate_detail(der, len(body)), sent)


def certificate_detail(certificates: Sequence[bytes], length: int) -> str:
    """How many, and how long."""
    count = len(certificates)
    return f"{count} certificate{'' if count == 1 else 's'}, {grouped(length)} bytes"


def _server_key_exchange(context: Context, symbol: Symbol) -> Draft:
    params, detail, learn = _server_params(context, symbol)
    signer = own_key(context)
    kind = kind_of_key(signer)
    scheme = choose_scheme(context, symbol, kind)
    # A forged signature is one that the key made for another handshake: well-formed, and replayed.
    covered = b"another handshake" if says(symbol, alphabet.forged_signature) else params
    data = signed_params(context.client_random, context.server_random, covered) if covered is params else covered
    signature = stock.sign(signer, scheme, data)
    length = len(signature) + says(symbol, alphabet.broken_params)
    body = params + scheme.to_bytes(2, "big") + length.to_bytes(2, "big") + signature
    detail += f", {registry.SCHEME_NAMES.get(scheme, f'scheme 0x{scheme:04x}')}"

    def sent(context: Context) -> None:
        if not context.is_client:
            learn(context)

    return Draft(codec.HandshakeType.SERVER_KEY_EXCHANGE, body, detail, sent)


def _server_params(context: Context, symbol: Symbol) -> tuple[bytes, str, Callable[[Context], None]]:
    """The parameters as the suite wants them, or as the defect does; what they are; what the server remembers."""
    exchange = context.suite.key_exchange
    if says(symbol, alphabet.alien_group) or says(symbol, alphabet.bad_point):
        exchange = KeyExchange.ECDHE
    elif says(symbol, alphabet.weak_group) or says(symbol, alphabet.bad_share):
        exchange = KeyExchange.DHE
    group: int | None = None
    field: finite_field.Params | None = None
    if exchange is KeyExchange.ECDHE:
        group = choose_group(context, symbol)
        key = stock.ephemeral(group, context.is_client)
        public = stock.off_curve(group, context.is_client) if says(symbol, alphabet.bad_point) else key.public
        params = codec.ecdh_params(group, public)
        detail = registry.GROUP_NAMES.get(group, f"group {group}")
    elif exchange is KeyExchange.DHE:
        field = _field_params(context, symbol)
        params, detail = field.encode(), field.name
    else:
        numbers = stock.temporary_rsa_key().public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        params = vector(modulus, 2) + vector(exponent, 2)
        detail = f"RSA-{numbers.n.bit_length()} parameters"

    def learn(context: Context) -> None:
        context.group = group
        context.params = field
        context.temporary_rsa = exchange is KeyExchange.RSA

    return params, detail, learn


def _field_params(context: Context, symbol: Symbol) -> finite_field.Params:
    offered = groups_offered(context.client_hello) if context.client_hello is not None else None
    prime = finite_field.prime_of(finite_field.choose(offered or ()))
    if says(symbol, alphabet.weak_group):
        prime = finite_field.WEAK_PRIME
    share = finite_field.share_of(prime, finite_field.GENERATOR, context.is_client)
    if says(symbol, alphabet.bad_share):
        share = finite_field.FLAWED_SHARE
    return finite_field.Params(prime, finite_field.GENERATOR, share)


def _certificate_request(context: Context, symbol: Symbol) -> Draft:
    types = bytes(CERTIFICATE_TYPES.values())
    schemes = context.options.schemes
    body = vector(types, 1) + uints(schemes, 2, 2)
    # No authorities: the list's length is the last field.
    body += b"\0\1" if says(symbol, alphabet.broken_request) else b"\0\0"

    def sent(context: Context) -> None:
        if not context.is_client:
            context.request = codec.CertificateRequest(types, tuple(schemes))

    return Draft(codec.HandshakeType.CERTIFICATE_REQUEST, body, "", sent)


def _server_hello_done(context: Context, symbol: Symbol) -> Draft:
    return Draft(codec.HandshakeType.SERVER_HELLO_DONE, b"\0" if says(symbol, alphabet.overfull) else b"")


def _new_session_ticket(context: Context, symbol: Symbol) -> Draft:
    ticket = b"" if says(symbol, alphabet.withdrawn) else derived(b"a ticket", context.options.seed) * 2
    body = ticket_body(ticket)
    if says(symbol, alphabet.broken_ticket):
        body = body[:4] + (len(ticket) + 1).to_bytes(2, "big") + ticket

    def sent(context: Context) -> None:
        if not context.is_client:
            context.ticket = ticket

    return Draft(codec.HandshakeType.NEW_SESSION_TICKET, body, f"a ticket of {grouped(len(ticket))} bytes", sent)


# ------------------------------------------------------------------------------------------------ the client's flight


def _client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    if says(symbol, alphabet.off_curve):
        return _ecdhe_client_key_exchange(context, symbol)
    if says(symbol, alphabet.bad_public):
        return _dhe_client_key_exchange(context, symbol)
    if context.uses_rsa or says(symbol, alphabet.bad_block) or says(symbol, alphabet.bad_version):
        return _rsa_client_key_exchange(context, symbol)
    if context.uses_dhe:
        return _dhe_client_key_exchange(context, symbol)
    return _ecdhe_client_key_exchange(context, symbol)


def _rsa_client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    version = context.version
    if says(symbol, alphabet.bad_version):
        version -= 1
    secret = version.to_bytes(2, "big") + stock.PRE_MASTER_RANDOM
    key = context.server_key
    if not isinstance(key, rsa.RSAPublicKey):
        stand_in = private_key("rsa", Owner.LEAF).public_key()
        assert isinstance(stand_in, rsa.RSAPublicKey)
        key = stand_in
    encrypted = stock.encrypt_block(key, secret, 1 if says(symbol, alphabet.bad_block) else 2)
    length = len(encrypted) + says(symbol, alphabet.broken_secret)
    return _key_exchange_draft(context, length.to_bytes(2, "big") + encrypted, secret, "RSA")


def _dhe_client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    prime = finite_field.prime_of(finite_field.FFDHE2048)
    params = context.params or finite_field.Params(prime, finite_field.GENERATOR, finite_field.GENERATOR)
    share = finite_field.share_of(params.prime, params.generator, context.is_client) if params.prime > 1 else 1
    secret = finite_field.secret(params.prime, params.share, context.is_client)
    if says(symbol, alphabet.bad_public):
        share, secret = finite_field.FLAWED_SHARE, b"\1"
    public = finite_field.share_bytes(params.prime, share)
    length = len(public) + says(symbol, alphabet.broken_secret)
    return _key_exchange_draft(context, length.to_bytes(2, "big") + public, secret, params.name)


def _ecdhe_client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    peer = context.server_public
    group = context.group if context.group in stock.GROUPS else None
    key_of_certificate = context.server_key
    if group is None and isinstance(key_of_certificate, ec.EllipticCurvePublicKey):
        # A ServerKeyExchange was left out: what remains is the key of the certificate, which is on secp256r1.
        group, peer = stock.SECP256R1, public_point(key_of_certificate)
    if group is None:
        group = next(iter(elliptic(context.options.groups)), stock.SECP256R1)
    own = stock.ephemeral(group, context.is_client)
    secret: bytes | None
    if says(symbol, alphabet.off_curve):
        public = stock.off_curve(group, context.is_client)
        secret = bytes(32) if group == stock.X25519 else None
    else:
        public = own.public
        try:
            secret = own.exchange(peer)
        except RemoteProtocolError:
            secret = None
    length = len(public) + says(symbol, alphabet.broken_secret)
    body = length.to_bytes(1, "big") + public
    return _key_exchange_draft(context, body, secret, registry.GROUP_NAMES.get(group, ""))


def public_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point of a certificate's key."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _key_exchange_draft(context: Context, body: bytes, secret: bytes | None, detail: str) -> Draft:
    def sent(context: Context) -> None:
        if context.is_client:
            context.agree(secret)

    return Draft(codec.HandshakeType.CLIENT_KEY_EXCHANGE, body, detail, sent)


def _certificate_verify(context: Context, symbol: Symbol) -> Draft:
    signer: PrivateKey = context.client_private or private_key(client_kind(context), Owner.CLIENT)
    scheme = choose_proof_scheme(context, symbol, kind_of_key(signer))
    # As with ServerKeyExchange: a signature of the right key, for another handshake.
    covered = b"another handshake" if says(symbol, alphabet.unproven) else b"".join(context.transcript)
    signature = stock.sign(signer, scheme, covered)
    length = len(signature) + says(symbol, alphabet.broken_proof)
    body = scheme.to_bytes(2, "big") + length.to_bytes(2, "big") + signature
    detail = registry.SCHEME_NAMES.get(scheme, f"scheme 0x{scheme:04x}")
    return Draft(codec.HandshakeType.CERTIFICATE_VERIFY, body, detail)


def _finished(context: Context, symbol: Symbol, keys: Keys = Keys.HONEST) -> Draft:
    right = context.verify_data(keys, context.is_client)
    if says(symbol, alphabet.match):
        data = right
    elif says(symbol, alphabet.mismatch):
        data = right[:-1] + bytes((right[-1] ^ 1,))
    else:
        data = right[:-1]

    def sent(context: Context) -> None:
        context.own_finished = True
        if context.is_client:
            context.client_verify_data = right
        else:
            context.server_verify_data = right

    return Draft(codec.HandshakeType.FINISHED, data, f"{len(data)} bytes of verify_data", sent)


def _unknown_handshake(context: Context, symbol: Symbol) -> Draft:
    return Draft(UNKNOWN_HANDSHAKE_TYPE, b"\0\0\0\0", f"handshake type {UNKNOWN_HANDSHAKE_TYPE}")


_MAKERS: dict[str, Callable[[Context, Symbol], Draft]] = {
    alphabet.HelloRequest.name: _hello_request,
    alphabet.ClientHello.name: client_hello,
    alphabet.ServerHello.name: server_hello,
    alphabet.NewSessionTicket.name: _new_session_ticket,
    alphabet.Certificate.name: _certificate,
    alphabet.ServerKeyExchange.name: _server_key_exchange,
    alphabet.CertificateRequest.name: _certificate_request,
    alphabet.ServerHelloDone.name: _server_hello_done,
    alphabet.CertificateVerify.name: _certificate_verify,
    alphabet.ClientKeyExchange.name: _client_key_exchange,
    alphabet.Finished.name: _finished,
    alphabet.UnknownHandshake.name: _unknown_handshake,
}
