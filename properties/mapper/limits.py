"""What means nothing in some connection, and what of a symbol an observer can tell.

Source: RFC 5246 sections 6.2.3, 7.4.3 and 7.4.7; RFC 8422 section 4.
"""

from __future__ import annotations

from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.suites import Cipher, CipherSuite, KeyExchange
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.choices import (
    choose_suite,
    groups_offered,
    kind_of_key,
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
    reason = _hidden(symbol) or _of_suite(context.suite, symbol)
    if reason:
        return reason
    check = _CHECKS.get(symbol.message.name)
    return check(context, symbol) if check is not None else ""


def chosen_values(key_exchange: str) -> tuple[Value, ...]:
    """What the tester's honest hellos say where connections are to have that key exchange."""
    if key_exchange == "rsa":
        return alphabet.offers_rsa, alphabet.rsa, alphabet.extended
    return alphabet.offers_ecdhe, alphabet.ecdhe, alphabet.extended


def observable(context: Context, symbol: Symbol) -> Symbol:
    """What the receiver, whose context this is before the message, can tell of a symbol that is `applicable`."""
    given = dict(symbol.values)
    hidden = False
    for fact in symbol.message.facts:
        hiding = _hiding(fact, given[fact.name])
        if hiding is not None:
            given[fact.name] = hiding.bit
            hidden = True
    if hidden and symbol.message in (alphabet.ClientHello, alphabet.ServerHello):
        given.update((fact.name, fact.mask) for fact in symbol.message.facts if fact not in _HIDING)
    elif symbol.message is alphabet.ServerHello and context.client_hello is None:
        given[alphabet.SERVER_HELLO.name] = _reduced(
            alphabet.SERVER_HELLO, given, (alphabet.renegotiation_forged,), alphabet.SERVER_HELLO.mask
        )
    elif symbol.message is alphabet.Certificate and not (context.chosen and context.is_client):
        seen = tuple(value for value in alphabet.CHAIN.defects if value is not alphabet.wrong_key_type)
        given[alphabet.CHAIN.name] = _reduced(alphabet.CHAIN, given, seen, alphabet.trusted.bit)
    elif symbol.message is alphabet.ServerKeyExchange and not hidden:
        unseen = [alphabet.forged_signature] if context.server_key is None else []
        if context.client_hello is None:
            unseen += [alphabet.alien_group, alphabet.alien_scheme]
        seen = tuple(value for value in alphabet.SERVER_PARAMS.defects if value not in unseen)
        mask = alphabet.SERVER_PARAMS.mask if context.server_key is None else alphabet.signed.bit
        given[alphabet.SERVER_PARAMS.name] = _reduced(alphabet.SERVER_PARAMS, given, seen, mask)
    elif symbol.message is alphabet.Alert:
        severity, description = given[alphabet.SEVERITY.name], given[alphabet.DESCRIPTION.name]
        if severity == alphabet.closure.bit:
            given[alphabet.DESCRIPTION.name] = alphabet.close_notify.bit
        elif description == alphabet.close_notify.bit and severity != alphabet.broken_alert.bit:
            given[alphabet.SEVERITY.name] = alphabet.closure.bit
    return Symbol(symbol.message, tuple((fact.name, given[fact.name]) for fact in symbol.message.facts))


def _reduced(fact: Fact, given: dict[str, int], seen: tuple[Value, ...], otherwise: int) -> int:
    """The defects among those that can be seen; where there are none, `otherwise`."""
    return given[fact.name] & sum(value.bit for value in seen) or otherwise


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


def _of_suite(suite: CipherSuite, symbol: Symbol) -> str:
    """What the suite alone says."""
    message = symbol.message
    uses_rsa = suite.key_exchange is KeyExchange.RSA
    if message is alphabet.ClientHello:
        if says(symbol, alphabet.bare) and says(symbol, alphabet.renegotiation_claimed):
            return "renegotiation_info is an extension, and a bare ClientHello has none"
    elif message is alphabet.ClientKeyExchange:
        if uses_rsa and says(symbol, alphabet.off_curve):
            return "RSA key transport has no points"
        if not uses_rsa and (says(symbol, alphabet.bad_block) or says(symbol, alphabet.bad_version)):
            return "ECDHE has no encrypted block"
    elif message is alphabet.Record and says(symbol, alphabet.bad_padding) and suite.cipher is not Cipher.AES_CBC:
        return "AES-GCM has no padding"
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


def _server_key_exchange(context: Context, symbol: Symbol) -> str:
    if context.client_hello is None:
        return ""
    if says(symbol, alphabet.alien_group):
        offered = groups_offered(context.client_hello)
        if offered is None:
            return "a ClientHello without supported_groups leaves every group open"
        if registry.first_not_in(stock.GROUPS, offered) is None:
            return "the client offers every group that the tester can compute in"
    if says(symbol, alphabet.alien_scheme):
        schemes = stock.ALIEN_SCHEMES[kind_of_key(own_key(context))]
        if registry.first_not_in(schemes, schemes_offered(context.client_hello)) is None:
            return "the client offers every signature algorithm that the tester can sign with"
    return ""


def _record(context: Context, symbol: Symbol) -> str:
    if says(symbol, alphabet.bad_mac) or says(symbol, alphabet.bad_padding):
        return "there are no keys yet" if isinstance(context.write.protection, NullProtection) else ""
    return ""


_CHECKS = {
    alphabet.ServerHello.name: _server_hello,
    alphabet.ServerKeyExchange.name: _server_key_exchange,
    alphabet.Record.name: _record,
}
