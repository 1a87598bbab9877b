"""From a symbol to the bytes of a handshake message, honest or with any of its defects, in any state.

Each function takes what the peer knows (see context.py) and gives the message's body; a `Draft` adds what an honest
sender would remember of it. A defect is computed from what was offered: an alien group is one that this very
ClientHello does not list.

Source: RFC 5246 section 7.4; RFC 8422 section 5.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.impl.errors import RemoteProtocolError
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
from shakeproof.impl.tls.key_exchange import signed_params
from shakeproof.impl.tls.suites import (
    SUITES,
    TLS_1_1,
    TLS_1_2,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
)
from shakeproof.impl.tls.wire import uints, vector
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.certificates import SERVER_NAME, CertificateDefect, chain
from shakeproof.properties.mapper.choices import (
    SIGNING,
    certificate_kind,
    choose_group,
    choose_scheme,
    choose_suite,
    kind_of_key,
    offered_suites,
    own_key,
    says,
)
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.mapper.readings import grouped

UNKNOWN_HANDSHAKE_TYPE = 99
"""Not assigned by IANA."""
DEFLATE = 1
UNOFFERED_COMPRESSIONS = (DEFLATE, 64, 2)
FORGED_RENEGOTIATION = b"not renegotiated"[:12]
ALIEN_EXTENSIONS = (
    Extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, vector(vector(b"http/1.1", 1), 2)),
    Extension(1, b"\x01"),  # max_fragment_length (RFC 6066 section 4): 2^9
    Extension(22, b""),  # encrypt_then_mac (RFC 7366)
    Extension(0x5A5A, b""),  # reserved for GREASE (RFC 8701): nobody means anything by it
)
TICKET = bytes(32)
TICKET_LIFETIME_S = 7200
RSA_SIGN, ECDSA_SIGN = 1, 64  # ClientCertificateType (RFC 5246 section 7.4.4, RFC 8422 section 5.5)

CHAIN_DEFECTS: dict[Value, CertificateDefect] = {
    alphabet.empty_chain: CertificateDefect.EMPTY,
    alphabet.expired: CertificateDefect.EXPIRED,
    alphabet.not_yet_valid: CertificateDefect.NOT_YET_VALID,
    alphabet.wrong_name: CertificateDefect.WRONG_NAME,
    alphabet.untrusted: CertificateDefect.UNTRUSTED,
    alphabet.bad_signature: CertificateDefect.BAD_SIGNATURE,
    alphabet.issuer_not_ca: CertificateDefect.ISSUER_NOT_CA,
    alphabet.wrong_usage: CertificateDefect.WRONG_KEY_USAGE,
    alphabet.broken_chain: CertificateDefect.MALFORMED,
}


def _nothing(context: Context) -> None:
    """Most messages leave nothing to remember."""


@dataclass(frozen=True)
class Draft:
    """A handshake message to send. sent: what an honest sender remembers, called once it is in the transcript."""

    handshake_type: int
    body: bytes
    detail: str = ""
    sent: Callable[[Context], None] = field(default=_nothing)

    def encode(self) -> bytes:
        """Type, length, body."""
        return bytes((self.handshake_type,)) + len(self.body).to_bytes(3, "big") + self.body


def draft(context: Context, symbol: Symbol, finished: Keys) -> Draft:
    """The handshake message for a symbol. finished: whose secret verify_data is computed from."""
    maker = _MAKERS.get(symbol.message.name)
    if maker is None:
        raise ValueError(f"{symbol.message.name} is no handshake message; expected one of {', '.join(_MAKERS)}")
    if symbol.message is alphabet.Finished:
        return _finished(context, symbol, finished)
    return maker(context, symbol)


# ---------------------------------------------------------------------------------------------------------- the hellos


def _hello_request(context: Context, symbol: Symbol) -> Draft:
    return Draft(codec.HandshakeType.HELLO_REQUEST, b"\0" if says(symbol, alphabet.overfull) else b"")


@lru_cache(maxsize=64)
def _usual_extensions(name: str, groups: tuple[int, ...], schemes: tuple[int, ...], extended: bool) -> list[Extension]:
    found = [] if _is_ip_address(name) else [server_name(name)]
    if extended:
        found.append(extended_master_secret())
    return [*found, supported_groups(groups), ec_point_formats(), signature_algorithms(schemes)]


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name.isascii()
    return True


def _client_hello(context: Context, symbol: Symbol) -> Draft:
    options = context.options
    codes = offered_suites(context, symbol)
    extensions: list[Extension] | None = None
    claimed = says(symbol, alphabet.renegotiation_claimed)
    info = FORGED_RENEGOTIATION if claimed else context.client_verify_data if context.is_connected else b""
    if says(symbol, alphabet.extended):
        usual = _usual_extensions(options.server_name, options.groups, options.schemes, options.extended_master_secret)
        extensions = [renegotiation_info(info), *usual]
    elif claimed:
        extensions = [renegotiation_info(info)]
    elif not context.is_connected:  # nor may the signal stand in a renegotiation (RFC 5746 section 3.5)
        codes = (*codes, TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
    hello = codec.ClientHello(
        client_version=TLS_1_1 if says(symbol, alphabet.old_version) else TLS_1_2,
        random=context.own_random(),
        session_id=b"",
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


def _break_hello(body: bytes, extensions: Sequence[Extension] | None) -> bytes:
    """The length of the extensions one more than there are; a lone byte where there are none."""
    if extensions is None:
        return body + b"\0"
    length = sum(4 + len(extension.data) for extension in extensions)
    return body[: -length - 2] + (length + 1).to_bytes(2, "big") + body[len(body) - length :]


def _server_hello(context: Context, symbol: Symbol) -> Draft:
    hello = context.client_hello
    asked = {extension.extension_type for extension in hello.extensions or ()} if hello is not None else None
    suites: Sequence[int] = hello.cipher_suites if hello is not None else ()
    code = choose_suite(context, symbol)
    extensions: list[Extension] = []
    forged = says(symbol, alphabet.renegotiation_forged)
    secure = asked is None or ExtensionType.RENEGOTIATION_INFO in asked or TLS_EMPTY_RENEGOTIATION_INFO_SCSV in suites
    if forged or secure:
        info = context.client_verify_data + context.server_verify_data if context.is_connected else b""
        extensions.append(renegotiation_info(FORGED_RENEGOTIATION if forged else info))
    extended = asked is None or ExtensionType.EXTENDED_MASTER_SECRET in asked
    extended = extended and context.options.extended_master_secret
    if extended:
        extensions.append(extended_master_secret())
    if says(symbol, alphabet.alien_extension):
        extensions += [item for item in ALIEN_EXTENSIONS if item.extension_type not in (asked or ())][:1]
    compression = codec.NULL_COMPRESSION
    if says(symbol, alphabet.alien_compression):
        offered = hello.compression_methods if hello is not None else (codec.NULL_COMPRESSION,)
        compression = registry.first_not_in(UNOFFERED_COMPRESSIONS, offered) or 255
    version = min(context.version, TLS_1_2)
    if says(symbol, alphabet.alien_version):
        version = max(context.version, TLS_1_2) + 1
    answer = codec.ServerHello(
        server_version=version,
        random=context.own_random(),
        session_id=b"",
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
            accept_server_hello(context, answer, extended)

    return Draft(codec.HandshakeType.SERVER_HELLO, body, registry.suite_name(code), sent)


def accept_server_hello(context: Context, hello: codec.ServerHello, extended: bool) -> None:
    """What both sides remember of a ServerHello."""
    context.server_hello = hello
    context.server_random = hello.random
    context.suite = SUITES.get(hello.cipher_suite, context.suite)
    context.extended = extended


# ------------------------------------------------------------------------------------------------ the server's flight


def _certificate(context: Context, symbol: Symbol) -> Draft:
    kind = certificate_kind(context)
    if says(symbol, alphabet.wrong_key_type):
        kind = "ecdsa" if kind == "rsa" else "rsa"
    defects = frozenset(defect for value, defect in CHAIN_DEFECTS.items() if says(symbol, value))
    try:
        made = chain(kind, defects, context.options.server_name)
    except ValueError:  # a name that no certificate can carry
        made = chain(kind, defects, SERVER_NAME)
    message = codec.Certificate(made.der)
    body = message.encode_body()

    def sent(context: Context) -> None:
        if not context.is_client:
            context.certificate = message
            context.own_key = made.private_key
            context.server_key = made.private_key.public_key()

    return Draft(codec.HandshakeType.CERTIFICATE, body, certificate_detail(message.certificate_list, len(body)), sent)


def certificate_detail(certificates: Sequence[bytes], length: int) -> str:
    """How many, and how long."""
    count = len(certificates)
    return f"{count} certificate{'' if count == 1 else 's'}, {grouped(length)} bytes"


def _server_key_exchange(context: Context, symbol: Symbol) -> Draft:
    elliptic = not context.uses_rsa or says(symbol, alphabet.alien_group) or says(symbol, alphabet.bad_point)
    group = choose_group(context, symbol)
    if elliptic:
        key = stock.ephemeral(group, context.is_client)
        public = stock.off_curve(group, context.is_client) if says(symbol, alphabet.bad_point) else key.public
        params = codec.ecdh_params(group, public)
        detail = registry.GROUP_NAMES.get(group, f"group {group}")
    else:
        numbers = stock.temporary_rsa_key().public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        params = vector(modulus, 2) + vector(exponent, 2)
        detail = f"RSA-{numbers.n.bit_length()} parameters"
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
            context.group = group if elliptic else None
            context.temporary_rsa = not elliptic

    return Draft(codec.HandshakeType.SERVER_KEY_EXCHANGE, body, detail, sent)


def _certificate_request(context: Context, symbol: Symbol) -> Draft:
    body = uints((RSA_SIGN, ECDSA_SIGN), 1, 1) + uints(context.options.schemes, 2, 2)
    # No authorities: the list's length is the last field.
    body += b"\0\1" if says(symbol, alphabet.broken_request) else b"\0\0"
    return Draft(codec.HandshakeType.CERTIFICATE_REQUEST, body)


def _server_hello_done(context: Context, symbol: Symbol) -> Draft:
    return Draft(codec.HandshakeType.SERVER_HELLO_DONE, b"\0" if says(symbol, alphabet.overfull) else b"")


def _new_session_ticket(context: Context, symbol: Symbol) -> Draft:
    return Draft(codec.HandshakeType.NEW_SESSION_TICKET, TICKET_LIFETIME_S.to_bytes(4, "big") + vector(TICKET, 2))


# ------------------------------------------------------------------------------------------------ the client's flight


def _client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    if says(symbol, alphabet.off_curve):
        return _ecdhe_client_key_exchange(context, symbol)
    if context.uses_rsa or says(symbol, alphabet.bad_block) or says(symbol, alphabet.bad_version):
        return _rsa_client_key_exchange(context, symbol)
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


def _ecdhe_client_key_exchange(context: Context, symbol: Symbol) -> Draft:
    peer = context.server_public
    group = context.group if context.group in stock.GROUPS else None
    key_of_certificate = context.server_key
    if group is None and isinstance(key_of_certificate, ec.EllipticCurvePublicKey):
        # A ServerKeyExchange was left out: what remains is the key of the certificate, which is on secp256r1.
        group, peer = stock.SECP256R1, public_point(key_of_certificate)
    if group is None:
        group = context.options.groups[0]
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
    signer = private_key(certificate_kind(context), Owner.LEAF)
    scheme = SIGNING[kind_of_key(signer)][0]
    signature = stock.sign(signer, scheme, b"".join(context.transcript))
    return Draft(codec.HandshakeType.CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector(signature, 2))


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
    alphabet.ClientHello.name: _client_hello,
    alphabet.ServerHello.name: _server_hello,
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
