"""What a hello offers, and what the tester chooses among it, or beside it where the defect is to be alien.

Source: RFC 5246 sections 7.4.1.3 and 7.4.1.4.1; RFC 8422 section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.extensions import ExtensionType, parse_signature_algorithms, parse_supported_groups
from shakeproof.impl.tls.suites import CipherSuite, KeyExchange
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key

SIGNING: dict[KeyKind, tuple[int, ...]] = {
    "rsa": (0x0401, 0x0501, 0x0601, 0x0201),
    "ecdsa": (0x0403, 0x0503, 0x0603, 0x0203),
}


def says(symbol: Symbol, value: Value) -> bool:
    """Whether to write this value. Where an observer could not tell, a sound one is written and no defect."""
    named = value.fact.named(symbol.assignment[value.fact.name])
    if named and named[0].is_sound:
        return value is named[0]
    return value in named


def offered_suites(context: Context, symbol: Symbol) -> tuple[int, ...]:
    """The suites of a ClientHello."""
    kinds: tuple[KeyExchange, ...] = (KeyExchange.ECDHE, KeyExchange.RSA)
    if context.options.key_exchange == "rsa":
        kinds = kinds[::-1]
    if not says(symbol, alphabet.offers_both):
        kinds = (KeyExchange.RSA if says(symbol, alphabet.offers_rsa) else KeyExchange.ECDHE,)
    codes: list[int] = []
    for kind in kinds:
        if says(symbol, alphabet.no_common_suite):
            codes += (registry.UNKNOWN_RSA_SUITES if kind is KeyExchange.RSA else registry.UNKNOWN_ECDHE_SUITES)[:2]
        else:
            codes += [suite.code for suite in context.options.supported(kind, True)]
    return tuple(codes)


def choose_suite(context: Context, symbol: Symbol) -> int:
    """The suite of a ServerHello: the best that was offered, or one that was not."""
    options = context.options
    exchange = KeyExchange.RSA if symbol.has(alphabet.rsa) else KeyExchange.ECDHE
    if symbol.has(alphabet.rsa) and symbol.has(alphabet.ecdhe):
        exchange = KeyExchange(options.key_exchange.upper())
    able: tuple[CipherSuite, ...] = options.supported(exchange, False)
    if context.client_hello is not None:
        offered: Sequence[int] = context.client_hello.cipher_suites
    else:
        offered = [suite.code for kind in KeyExchange for suite in options.supported(kind, True)]
    if says(symbol, alphabet.alien_suite):
        known = [suite.code for suite in able]
        every = registry.RSA_SUITES if exchange is KeyExchange.RSA else registry.ECDHE_SUITES
        return registry.first_not_in([*known, *sorted(every, reverse=True)], offered) or 0x5A5A
    return next((suite.code for suite in able if suite.code in offered), able[0].code)


def certificate_kind(context: Context) -> KeyKind:
    """The kind of certificate that the suite needs."""
    return stock.kind_of(context.suite.authentication)


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


def choose_group(context: Context, symbol: Symbol) -> int:
    """The group of a ServerKeyExchange."""
    hello = context.client_hello
    offered = groups_offered(hello) if hello is not None else context.options.groups
    if says(symbol, alphabet.alien_group):
        return registry.first_not_in(stock.GROUPS, offered or ()) or stock.GROUPS[-1]
    if offered is None:
        return context.options.groups[0]
    able = [group for group in context.options.groups if group in offered]
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
