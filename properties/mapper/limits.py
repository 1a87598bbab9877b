"""What means nothing in some connection, and what of a symbol an observer can tell.

Source: RFC 5246 sections 6.2.3, 7.4.3 and 7.4.7; RFC 8422 section 4.
"""

from __future__ import annotations

from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.suites import KeyExchange
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.concretise import (
    certificate_kind,
    choose_suite,
    groups_offered,
    own_key,
    says,
    schemes_offered,
)
from shakeproof.properties.mapper.context import Context

_HIDING = {
    alphabet.CLIENT_HELLO: (alphabet.broken_hello,),
    alphabet.SERVER_HELLO: (alphabet.broken_answer,),
    alphabet.CHAIN: (alphabet.empty_chain, alphabet.broken_chain),
    alphabet.SERVER_PARAMS: (alphabet.broken_params,),
}
"""Of each fact, the defects behind which nothing else of the message can be told, strongest first."""


def applicable(context: Context, symbol: Symbol) -> str:
    """Why the symbol means nothing in this connection now; "" where it can be sent.

    What is merely out of order can always be sent. What is refused here would be another symbol on the wire.
    """
    hidden = _hidden(symbol)
    if hidden:
        return hidden
    check = _CHECKS.get(symbol.message.name)
    return check(context, symbol) if check is not None else ""


def observable(symbol: Symbol) -> Symbol:
    """What an observer who has seen the whole connection can tell of a symbol."""
    given = dict(symbol.values)
    for fact in symbol.message.facts:
        hiding = _hiding(fact, given[fact.name])
        if hiding is None:
            continue
        given[fact.name] = hiding.bit
        if hiding in (alphabet.broken_hello, alphabet.broken_answer):
            given.update((other.name, other.mask) for other in symbol.message.facts if other is not fact)
    if symbol.message is alphabet.Alert:
        severity, description = given[alphabet.SEVERITY.name], given[alphabet.DESCRIPTION.name]
        if severity == alphabet.closure.bit:
            given[alphabet.DESCRIPTION.name] = alphabet.close_notify.bit
        elif description == alphabet.close_notify.bit and severity != alphabet.broken_alert.bit:
            given[alphabet.SEVERITY.name] = alphabet.closure.bit
    return Symbol(symbol.message, tuple((fact.name, given[fact.name]) for fact in symbol.message.facts))


def _hiding(fact: Fact, bits: int) -> Value | None:
    if bits & fact.sound_mask:
        return None
    return next((value for value in _HIDING.get(fact, ()) if value.bit & bits), None)


def _hidden(symbol: Symbol) -> str:
    for fact in symbol.message.facts:
        bits = symbol.assignment[fact.name]
        hiding = _hiding(fact, bits)
        if hiding is not None and bits != hiding.bit:
            others = ", ".join(value.name for value in fact.named(bits & ~hiding.bit))
            return f"a message that {hiding.sentence} hides {others}"
    return ""


def _client_hello(context: Context, symbol: Symbol) -> str:
    if says(symbol, alphabet.bare) and says(symbol, alphabet.renegotiation_claimed):
        return "renegotiation_info is an extension, and a bare ClientHello has none"
    return ""


def _server_hello(context: Context, symbol: Symbol) -> str:
    hello = context.client_hello
    if hello is None:
        return ""
    code = choose_suite(context, symbol)
    if says(symbol, alphabet.alien_suite):
        return "" if code not in hello.cipher_suites else "the client offers every suite that there is"
    if code in hello.cipher_suites:
        return ""
    exchange = KeyExchange.RSA if says(symbol, alphabet.rsa) else KeyExchange.ECDHE
    return f"the client offers no {exchange} suite that the tester has"


def _certificate(context: Context, symbol: Symbol) -> str:
    if context.is_client and says(symbol, alphabet.wrong_key_type):
        return "no cipher suite says what key a client's certificate must have"
    if context.is_client and says(symbol, alphabet.wrong_usage):
        return "a client's certificate takes no part in the key exchange"
    return ""


def _server_key_exchange(context: Context, symbol: Symbol) -> str:
    if context.uses_rsa and (says(symbol, alphabet.alien_group) or says(symbol, alphabet.bad_point)):
        return "RSA parameters have neither group nor point"
    if says(symbol, alphabet.alien_group) and context.client_hello is not None:
        offered = groups_offered(context.client_hello)
        if offered is None:
            return "a ClientHello without supported_groups leaves every group open"
        if registry.first_not_in(stock.GROUPS, offered) is None:
            return "the client offers every group that the tester can compute in"
    if says(symbol, alphabet.alien_scheme) and context.client_hello is not None:
        kind = "rsa" if own_key(context) is not None and certificate_kind(context) == "rsa" else "ecdsa"
        schemes = stock.ALIEN_SCHEMES["rsa" if kind == "rsa" else "ecdsa"]
        if registry.first_not_in(schemes, schemes_offered(context.client_hello)) is None:
            return "the client offers every signature algorithm that the tester can sign with"
    return ""


def _client_key_exchange(context: Context, symbol: Symbol) -> str:
    if context.uses_rsa and says(symbol, alphabet.off_curve):
        return "RSA key transport has no points"
    if not context.uses_rsa and (says(symbol, alphabet.bad_block) or says(symbol, alphabet.bad_version)):
        return "ECDHE has no encrypted block"
    return ""


def _record(context: Context, symbol: Symbol) -> str:
    protected = not isinstance(context.write.protection, NullProtection)
    if says(symbol, alphabet.bad_mac) and not protected:
        return "there are no keys yet"
    if says(symbol, alphabet.bad_padding):
        if not context.is_cbc:
            return "AES-GCM has no padding"
        if not protected:
            return "there are no keys yet"
    return ""


_CHECKS = {
    alphabet.ClientHello.name: _client_hello,
    alphabet.ServerHello.name: _server_hello,
    alphabet.Certificate.name: _certificate,
    alphabet.ServerKeyExchange.name: _server_key_exchange,
    alphabet.ClientKeyExchange.name: _client_key_exchange,
    alphabet.Record.name: _record,
}
