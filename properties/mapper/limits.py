"""What means nothing in some connection, and what of a symbol an observer can tell.

Source: RFC 5246 sections 6.2.3, 7.4.1.2, 7.4.3 and 7.4.7; RFC 5077 section 3.4; RFC 7627 section 5.3; RFC 8422
section 4.
"""

from __future__ import annotations

from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.messages import ClientHello
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.suites import Cipher, CipherSuite, KeyExchange
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.choices import (
    CERTIFICATE_TYPES,
    choose_suite,
    client_kind,
    elliptic,
    exchange_said,
    groups_offered,
    kind_of_key,
    offered_suites,
    own_key,
    says,
    schemes_offered,
)
from shakeproof.properties.mapper.concretise import other_kind
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.sessions import SESSION_TICKET, Session, names

_HIDING = {
    alphabet.CLIENT_HELLO: (alphabet.broken_hello,),
    alphabet.SERVER_HELLO: (alphabet.broken_answer,),
    alphabet.CHAIN: (alphabet.empty_chain, alphabet.broken_chain),
    alphabet.SERVER_PARAMS: (alphabet.broken_params,),
}
"""Of each fact, the defects behind which nothing else of the message can be told, strongest first."""


_NOT_THERE = sum(value.bit for value in (
    alphabet.untrusted, alphabet.bad_signature, alphabet.issuer_not_ca, alphabet.pathlen_exceeded,
    alphabet.name_excluded, alphabet.weak_hash,
))  # fmt: skip
_HIDING_SOME: dict[Value, int] = {
    alphabet.self_signed_leaf: _NOT_THERE | alphabet.missing_intermediate.bit,
    alphabet.missing_intermediate: _NOT_THERE,
    alphabet.no_san: alphabet.wrong_name.bit | alphabet.name_excluded.bit,
}
"""Defects of a chain, with those that nobody can tell then, since the certificates or names that have them are not
there.
"""


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
    return alphabet.OFFER[f"offers_{key_exchange}"], alphabet.KEY_EXCHANGE[key_exchange], alphabet.extended


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
    elif symbol.message is alphabet.Certificate:
        unseen = [] if context.is_client else [alphabet.wrong_name, alphabet.no_san]
        if (context.is_client and not context.chosen) or not (context.is_client or context.request):
            unseen.append(alphabet.wrong_key_type)
        seen = tuple(value for value in alphabet.CHAIN.defects if value not in unseen)
        given[alphabet.CHAIN.name] = _reduced(alphabet.CHAIN, given, seen, alphabet.trusted.bit)
    elif symbol.message is alphabet.ServerKeyExchange and not hidden:
        unseen = [alphabet.forged_signature] if context.server_key is None else []
        if context.client_hello is None:
            unseen += [alphabet.alien_group, alphabet.alien_scheme]
        seen = tuple(value for value in alphabet.SERVER_PARAMS.defects if value not in unseen)
        mask = alphabet.SERVER_PARAMS.mask if context.server_key is None else alphabet.signed.bit
        given[alphabet.SERVER_PARAMS.name] = _reduced(alphabet.SERVER_PARAMS, given, seen, mask)
    elif symbol.message is alphabet.CertificateVerify:
        given[alphabet.PROOF.name] = _proof_seen(context, given[alphabet.PROOF.name])
    elif symbol.message is alphabet.Alert:
        severity, description = given[alphabet.SEVERITY.name], given[alphabet.DESCRIPTION.name]
        if severity == alphabet.closure.bit:
            given[alphabet.DESCRIPTION.name] = alphabet.close_notify.bit
        elif description == alphabet.close_notify.bit and severity != alphabet.broken_alert.bit:
            given[alphabet.SEVERITY.name] = alphabet.closure.bit
    return Symbol(symbol.message, tuple((fact.name, given[fact.name]) for fact in symbol.message.facts))


def _proof_seen(context: Context, bits: int) -> int:
    """Without the client's key no signature can be verified, and without a request none is alien."""
    if bits == alphabet.alien_proof.bit and context.request is None:
        bits = alphabet.proven.bit
    told = alphabet.alien_proof.bit | alphabet.broken_proof.bit
    return bits if context.client_key is not None or bits & told else alphabet.PROOF.mask


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
    bits = symbol.assignment.get(alphabet.CHAIN.name, alphabet.CHAIN.sound_mask)
    for value, hidden in _HIDING_SOME.items():
        if not bits & alphabet.CHAIN.sound_mask and bits & value.bit and bits & hidden:
            others = ", ".join(other.name for other in alphabet.CHAIN.named(bits & hidden))
            return f"a chain of which it can be said that {value.sentence} hides {others}"
    return ""


def _of_suite(suite: CipherSuite, symbol: Symbol) -> str:
    """What the suite alone says."""
    message, exchange = symbol.message, suite.key_exchange
    if message is alphabet.ClientKeyExchange or message is alphabet.ServerKeyExchange:
        of_curves = message is alphabet.ServerKeyExchange and any(says(symbol, value) for value in _OF_CURVES)
        if of_curves and any(says(symbol, value) for value in _OF_FIELDS):
            return "parameters are of a curve or of a finite field"
        for kinds, values, reason in _OF_EXCHANGE:
            if exchange not in kinds and any(value.fact in message.facts and says(symbol, value) for value in values):
                return reason
    elif message is alphabet.Record and says(symbol, alphabet.bad_padding) and suite.cipher is not Cipher.AES_CBC:
        return f"{suite.cipher.replace('_', '-')} has no padding"
    return ""


_OF_CURVES = (alphabet.alien_group, alphabet.bad_point)
_OF_FIELDS = (alphabet.weak_group, alphabet.bad_share)
_OF_EXCHANGE: tuple[tuple[tuple[KeyExchange, ...], tuple[Value, ...], str], ...] = (
    ((KeyExchange.ECDHE,), (alphabet.off_curve,), "only ECDHE has points"),
    ((KeyExchange.RSA,), (alphabet.bad_block, alphabet.bad_version), "only RSA key transport has an encrypted block"),
    ((KeyExchange.DHE,), (alphabet.bad_public,), "only DHE has a share in a finite field"),
    ((KeyExchange.ECDHE, KeyExchange.RSA), _OF_CURVES, "DHE has no curves"),
    ((KeyExchange.DHE, KeyExchange.RSA), _OF_FIELDS, "ECDHE has no finite fields"),
)
"""With which key exchanges a defect can be told from others, and why not with the rest."""


def _client_hello(context: Context, symbol: Symbol) -> str:
    bare, held = says(symbol, alphabet.bare), context.options.session
    wanted = next((value for value in _RESUMING if says(symbol, value)), None)
    if bare and says(symbol, alphabet.renegotiation_claimed):
        return "renegotiation_info is an extension, and a bare ClientHello has none"
    if bare and any(says(symbol, value) for value in (alphabet.ticketed, alphabet.by_ticket, alphabet.by_other_name)):
        return "tickets and server names are extensions, and a bare ClientHello has none"
    if bare and says(symbol, alphabet.by_unknown) and held is not None and held.ticket:
        return "a ticket is an extension, and a bare ClientHello has none"
    if says(symbol, alphabet.signalled_again) and not context.is_connected:
        return "in a first handshake the signal is right"
    if says(symbol, alphabet.fallback) and says(symbol, alphabet.old_version):
        return "a fallback is to an older version by itself"
    return _dropped(symbol, held, wanted, bare) or (_resumption(context, symbol, held, wanted) if wanted else "")


_RESUMING = (alphabet.by_id, alphabet.by_ticket, alphabet.by_other_name)


def _dropped(symbol: Symbol, held: Session | None, wanted: Value | None, bare: bool) -> str:
    extended = wanted is not None and held is not None and held.extended
    if says(symbol, alphabet.bond_dropped):
        return "" if extended else "no session with extended master secret is asked for"
    if extended and bare:
        return "a bare ClientHello drops the extended master secret of the session"
    return ""


def _resumption(context: Context, symbol: Symbol, held: Session | None, wanted: Value) -> str:
    if held is None:
        return "the tester holds no session of the target"
    if wanted is alphabet.by_id and not (held.session_id and not held.ticket):
        return "the session has no id"
    if wanted is alphabet.by_ticket and not held.ticket:
        return "the session has no ticket"
    if wanted is alphabet.by_other_name and not held.named:
        return "the server goes by no names"
    if held.suite.code not in offered_suites(context, symbol) and not says(symbol, alphabet.no_common_suite):
        return "who asks for a session offers its suite"
    return ""


def _server_hello(context: Context, symbol: Symbol) -> str:
    hello, held = context.client_hello, context.options.session
    if says(symbol, alphabet.renegotiation_dropped):
        if not (context.is_connected and context.secure):
            return "nothing is renegotiated securely"
        if says(symbol, alphabet.renegotiation_forged):
            return "what is dropped can't be forged"
    if says(symbol, alphabet.resumed):
        if hello is None or not hello.session_id:
            return "the client names no session"
        if held is None or not names(hello, held):
            return "the tester holds no session that the client names"
        reason = _resumed(context, symbol, hello, held)
        if reason:
            return reason
    elif says(symbol, alphabet.changed_suite) or says(symbol, alphabet.bond_changed):
        return "no session is resumed"
    if hello is None:
        return ""
    if says(symbol, alphabet.promised) and hello.extension(SESSION_TICKET) is None:
        return "the client takes no tickets"
    code = choose_suite(context, symbol)
    if says(symbol, alphabet.alien_suite):
        return "" if code not in hello.cipher_suites else "the client offers every suite that there is"
    if code in hello.cipher_suites:
        return ""
    return f"the client offers no {exchange_said(context, symbol)} suite that the tester has"


def _resumed(context: Context, symbol: Symbol, hello: ClientHello, held: Session) -> str:
    changed = says(symbol, alphabet.changed_suite)
    if changed and says(symbol, alphabet.alien_suite):
        return "a suite that was not offered hides that it is not the session's"
    if changed and choose_suite(context, symbol) == held.suite.code:
        return "the client offers no other suite of the kind"
    sound = not changed and not says(symbol, alphabet.alien_suite)
    if sound and exchange_said(context, symbol) is not held.suite.key_exchange:
        return "the session has a suite of another key exchange"
    bound = hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None
    if not bound and held.extended is not says(symbol, alphabet.bond_changed):
        return "the client does not offer an extended master secret"
    return ""


def _certificate(context: Context, symbol: Symbol) -> str:
    if says(symbol, alphabet.accompanied) and not says(symbol, alphabet.trusted):
        return "where nothing holds, nothing can be told of what is besides"
    if not context.is_client:
        return ""
    if says(symbol, alphabet.wrong_name) or says(symbol, alphabet.no_san):
        return "nobody says which client it has to be"
    if says(symbol, alphabet.wrong_key_type):
        if context.request is None:
            return "nobody asked for a certificate"
        if CERTIFICATE_TYPES[other_kind(client_kind(context))] in context.request.certificate_types:
            return "the server takes every kind of key that the tester has"
    return ""


def _certificate_verify(context: Context, symbol: Symbol) -> str:
    if not says(symbol, alphabet.alien_proof):
        return ""
    if context.request is None:
        return "nobody asked for a signature"
    kind = kind_of_key(context.client_private) if context.client_private is not None else client_kind(context)
    if registry.first_not_in(stock.ALIEN_SCHEMES[kind], context.request.signature_algorithms) is None:
        return "the server takes every signature algorithm that the tester can sign with"
    return ""


def _server_key_exchange(context: Context, symbol: Symbol) -> str:
    if context.client_hello is None:
        return ""
    if says(symbol, alphabet.alien_group):
        offered = groups_offered(context.client_hello)
        if offered is not None:
            offered = elliptic(offered)
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
    protection = context.write.protection
    if says(symbol, alphabet.bad_padding) and isinstance(protection, EncryptThenMac):
        return "under encrypt-then-MAC the padding is covered by the MAC"
    if any(says(symbol, value) for value in _UNDER_KEYS) and isinstance(protection, NullProtection):
        return "there are no keys yet"
    if says(symbol, alphabet.replayed) and context.write.last is None:
        return "no record went before it under these keys"
    if says(symbol, alphabet.stale) and context.write.older is None:
        return "no two records went before it under these keys"
    return ""


_UNDER_KEYS = (alphabet.bad_mac, alphabet.long_bad_mac, alphabet.bad_padding, alphabet.replayed, alphabet.stale)


_CHECKS = {
    alphabet.ClientHello.name: _client_hello,
    alphabet.ServerHello.name: _server_hello,
    alphabet.Certificate.name: _certificate,
    alphabet.ServerKeyExchange.name: _server_key_exchange,
    alphabet.CertificateVerify.name: _certificate_verify,
    alphabet.Record.name: _record,
}
