"""What a hello offers, and what the tester chooses among it, or beside it where the defect is to be alien.

Source: RFC 5246 sections 7.4.1.3 and 7.4.1.4.1; RFC 8422 section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import ExtensionType, parse_signature_algorithms, parse_supported_groups
from shakeproof.impl.tls.suites import FFDHE_CODES, CipherSuite, KeyExchange
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key

CERTIFICATE_TYPES: dict[KeyKind, int] = {"rsa": 1, "ecdsa": 64}
"""ClientCertificateType: rsa_sign and ecdsa_sign (RFC 5246 section 7.4.4, RFC 8422 section 5.5)."""

SIGNING: dict[KeyKind, tuple[int, ...]] = {
    "rsa": (0x0401, 0x0501, 0x0601, 0x0201),
    "ecdsa": (0x0403, 0x0503, 0x0603, 0x0203),
}


def says(symbol: Symbol, value: Value) -> bool:
    """Whether to write this value. Where an observer could not tell, a sound one is written and no defect."""
    bits = symbol.assignment[value.fact.name]
    first = bits & -bits  # bits stand in the order of the values, sound ones before defects
    return bool(value.bit & (first if first & value.fact.sound_mask else bits))


def exchange_said(context: Context, symbol: Symbol) -> KeyExchange:
    """The key exchange that a hello names; what the tester prefers where it leaves it open."""
    preferred = KeyExchange(context.options.key_exchange.upper())
    named = [exchange for exchange, values in _SAID.items() if any(symbol.has(value) for value in values)]
    return preferred if preferred in named or not named else named[0]


_SAID: dict[KeyExchange, tuple[Value, ...]] = {
    KeyExchange.RSA: (alphabet.rsa, alphabet.offers_rsa),
    KeyExchange.ECDHE: (alphabet.ecdhe, alphabet.offers_ecdhe),
    KeyExchange.DHE: (alphabet.dhe, alphabet.offers_dhe),
}
PREFERENCE = (KeyExchange.ECDHE, KeyExchange.RSA, KeyExchange.DHE)


def offered_suites(context: Context, symbol: Symbol) -> tuple[int, ...]:
    """The suites of a ClientHello."""
    kinds: tuple[KeyExchange, ...] = PREFERENCE
    if says(symbol, alphabet.offers_several):
        preferred = KeyExchange(context.options.key_exchange.upper())
        kinds = tuple(sorted(kinds, key=lambda kind: kind is not preferred))
    else:
        kinds = (exchange_said(context, symbol),)
    codes: list[int] = []
    options = context.options
    if is_older(symbol):  # those of TLS 1.2 alone would leave nothing in common with a server that speaks that version
        options = replace(options, bulk="cbc")
    for kind in kinds:
        if says(symbol, alphabet.no_common_suite):
            codes += registry.UNKNOWN_SUITES[kind][:2]
        else:
            codes += [suite.code for suite in options.supported(kind, True)]
    return tuple(codes)


def is_older(symbol: Symbol) -> bool:
    """Whether a ClientHello is of a version before TLS 1.2."""
    return says(symbol, alphabet.old_version) or says(symbol, alphabet.fallback)


def choose_suite(context: Context, symbol: Symbol) -> int:
    """The suite of a ServerHello: the session's, or the best that was offered, or one that may not be chosen."""
    options = context.options
    exchange = exchange_said(context, symbol)
    able: tuple[CipherSuite, ...] = options.supported(exchange, False)
    if context.client_hello is not None:
        offered: Sequence[int] = context.client_hello.cipher_suites
    else:
        offered = [suite.code for kind in KeyExchange for suite in options.supported(kind, True)]
    known = [suite.code for suite in able]
    if says(symbol, alphabet.alien_suite):
        every = registry.SUITES_OF[exchange]
        return registry.first_not_in([*known, *sorted(every, reverse=True)], offered) or 0x5A5A
    held = options.session
    if says(symbol, alphabet.resumed) and held is not None:
        if says(symbol, alphabet.changed_suite):
            return next((code for code in known if code in offered and code != held.suite.code), held.suite.code)
        return held.suite.code
    return next((code for code in known if code in offered), known[0])


def certificate_kind(context: Context) -> KeyKind:
    """The kind of certificate that the suite needs."""
    return stock.kind_of(context.suite.authentication)


def client_kind(context: Context) -> KeyKind:
    """The kind of a client's certificate: its own, unless the server asked for others only."""
    own = context.options.certificate_key
    asked = context.request.certificate_types if context.request is not None else b""
    wanted = [kind for kind, number in CERTIFICATE_TYPES.items() if number in asked]
    return own if own in wanted or not wanted else wanted[0]


def own_key(context: Context) -> PrivateKey:
    """The key of the certificate that was sent, or that would have been."""
    return context.own_key or private_key(certificate_kind(context), Owner.LEAF)


def kind_of_key(key: PrivateKey) -> KeyKind:
    """Its kind."""
    return "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"


def groups_offered(hello: codec.ClientHello) -> tuple[int, ...] | None:
    """The groups of a ClientHello; None where it leaves them open, which means any (RFC 8422 section 4)."""
    data = hello.extension(ExtensionType.SUPPORTED_GROUPS)
    if data is None:
        return None
    try:
        return parse_supported_groups(data)
    except RemoteProtocolError:
        return None


def schemes_offered(hello: codec.ClientHello) -> tuple[int, ...]:
    """The signature algorithms of a ClientHello, or those that their absence stands for."""
    data = hello.extension(ExtensionType.SIGNATURE_ALGORITHMS)
    if data is None:
        return registry.DEFAULT_SCHEMES
    try:
        return parse_signature_algorithms(data)
    except RemoteProtocolError:
        return registry.DEFAULT_SCHEMES


def elliptic(groups: Sequence[int]) -> tuple[int, ...]:
    """Those of the groups that are no finite fields (RFC 7919 section 2)."""
    return tuple(group for group in groups if group not in FFDHE_CODES)


def choose_group(context: Context, symbol: Symbol) -> int:
    """The group of a ServerKeyExchange."""
    hello = context.client_hello
    offered = groups_offered(hello) if hello is not None else context.options.groups
    offered = elliptic(offered) if offered is not None else None
    usual = elliptic(context.options.groups) or stock.GROUPS
    if says(symbol, alphabet.alien_group):
        return registry.first_not_in(stock.GROUPS, offered or ()) or stock.GROUPS[-1]
    if offered is None:
        return usual[0]
    able = [group for group in usual if group in offered]
    return able[0] if able else next((group for group in stock.GROUPS if group in offered), stock.GROUPS[0])


def choose_scheme(context: Context, symbol: Symbol, kind: KeyKind) -> int:
    """The signature algorithm of a ServerKeyExchange."""
    if context.client_hello is None:
        offered: Sequence[int] = context.options.schemes
    else:
        offered = schemes_offered(context.client_hello)
    if says(symbol, alphabet.alien_scheme):
        return registry.first_not_in(stock.ALIEN_SCHEMES[kind], offered) or stock.ALIEN_SCHEMES[kind][-1]
    return next((scheme for scheme in SIGNING[kind] if scheme in offered), SIGNING[kind][0])


def choose_proof_scheme(context: Context, symbol: Symbol, kind: KeyKind) -> int:
    """The signature algorithm of a CertificateVerify."""
    request = context.request
    asked: Sequence[int] = request.signature_algorithms if request is not None else context.options.schemes
    if says(symbol, alphabet.alien_proof):
        return registry.first_not_in(stock.ALIEN_SCHEMES[kind], asked) or stock.ALIEN_SCHEMES[kind][-1]
    return next((scheme for scheme in SIGNING[kind] if scheme in asked), SIGNING[kind][0])
