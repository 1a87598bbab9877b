"""What must hold in every state of TLS 1.2 with an attacker, and the settings in which it is explored.

Each property is an expression over the columns of `model.tls12_composed`. Most have a protection of `model.protections`
without which they do not hold; for the others a test plants a fault that breaks them: a property that nothing can break
proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shakeproof.model.composition import ATTACKER, Composition, Of, OnTheWay, Safety
from shakeproof.model.facts import Guard, all_of
from shakeproof.model.messages import closure, fatal
from shakeproof.model.tls12 import ABORTED, CLOSED, CONNECTED, older
from shakeproof.model.tls12_composed import Composer, compose
from shakeproof.model.tls12_export import ExportComposer
from shakeproof.model.tls12_fallback import FallbackComposer
from shakeproof.model.tls12_setting import (
    CLIENT,
    SERVER,
    Setting,
    apart,
    attacker,
    common,
    earlier,
    exposed,
    forged,
    illegal,
    no_keys,
    nothing,
    peer,
    reading,
    reads,
    spoke,
)

ONE_HANDSHAKE = (
    "one connection, one handshake: no renegotiation, no tickets, TLS 1.2 only, no close_notify of one's own accord"
)
ASSUMPTIONS = (
    "cryptography is perfect: nobody signs, decrypts or computes a MAC without the key",
    "the attacker holds no key of the server's, of the client's or of a trusted authority's",
    "an attacker that tampers with a hello keeps its random, so that the keys still agree",
    "the session that is resumed is the client's and the server's alone",
)
DOUBTED = "a server that goes on with a client whose certificate it does not accept, as it may, takes it for nobody"

TWO_VERSIONS = (
    "at most two connections, one after the other, one handshake each: the second with an older version, for which "
    "the same is presumed as for TLS 1.2; no renegotiation, no tickets, no close_notify of one's own accord"
)
SHORT_KEYS = "the attacker breaks a key of a suite of export, which is short, and no other"


def _connected(composition: Composition, side: str) -> Guard:
    return Of(side, composition.column(f"{side}.state").fact[CONNECTED.name])


def _over(composition: Composition, side: str) -> Guard:
    states = composition.column(f"{side}.state").fact
    return Of(side, states[CLOSED.name] | states[ABORTED.name])


def _ended(composition: Composition, side: str) -> Guard | None:
    """Whatever the side has sent that ends the connection, if it is still on the way, the side has ended."""
    last = tuple(
        code
        for code, packet in enumerate(composition.packets, 1)
        if packet.sender == side and (packet.symbol.has(fatal) or packet.symbol.has(closure))
    )
    return ~OnTheWay(last, composition.bound) | _over(composition, side) if last else None


def accepted(side: str) -> Guard:
    """The side has accepted data."""
    return ~Of(side, nothing)


def safety(composition: Composition) -> tuple[Safety, ...]:
    """The properties that every composition of TLS 1.2 has."""
    client, server = _connected(composition, CLIENT), _connected(composition, SERVER)
    kept = {side: Of(side, common) | Of(side, earlier) for side in (CLIENT, SERVER)}
    return (
        Safety(
            "server-authenticated",
            "a client that has finished shares its keys with the server that it wanted, and with nobody else",
            "RFC 5246 F.1.1",
            ~(client & (Of(CLIENT, no_keys) | Of(CLIENT, exposed))),
            client,
        ),
        Safety(
            "key-agreed",
            "a server that has finished has keys that were made of a secret that somebody sent it",
            "RFC 5246 7.1",
            ~(server & Of(SERVER, no_keys)),
            server,
        ),
        Safety(
            "client-agrees",
            "where a client finishes with keys that only it and the server have, the server has the same, has seen the "
            "same handshake, and has sent its Finished",
            "RFC 5246 7.4.9",
            ~(client & kept[CLIENT] & Of(CLIENT, apart)),
            client & kept[CLIENT],
        ),
        Safety(
            "server-agrees",
            "where a server finishes with keys that only it and the client have, the client has the same, has seen the "
            "same handshake, and has sent its Finished",
            "RFC 5246 7.4.9",
            ~(server & kept[SERVER] & Of(SERVER, apart)),
            server & kept[SERVER],
        ),
        Safety(
            "records-protected",
            "a side that has finished reads nothing but protected records",
            "RFC 5246 7.1",
            ~((client & Of(CLIENT, reading)) | (server & Of(SERVER, reading))),
            client | server,
        ),
        Safety(
            "session-secret",
            "nobody but the server reads what the client's application sends",
            "RFC 5246 F.1.1",
            ~Of(ATTACKER, reads),
            Of(CLIENT, spoke),
        ),
        Safety(
            "data-authentic",
            "data is accepted only from the peer with which the keys are shared",
            "RFC 5246 6.2.3",
            ~(Of(CLIENT, forged) | (Of(SERVER, forged) & kept[SERVER])),
            accepted(CLIENT) | (accepted(SERVER) & kept[SERVER]),
        ),
        Safety(
            "data-after-finished",
            "data is accepted only by a side that has finished: before, it can't know from whom that is",
            "RFC 5246 7.3",
            ~((accepted(CLIENT) & ~(client | _over(composition, CLIENT)))
              | (accepted(SERVER) & ~(server | _over(composition, SERVER)))),
            accepted(CLIENT) | accepted(SERVER),
        ),
    )  # fmt: skip


def client_authenticated(composition: Composition) -> Safety:
    """The property that a model has in which the server may ask for a certificate.

    No authority vouches for the attacker's own certificate. Whom the server doubts, it takes for nobody when it
    finishes.
    """
    server = _connected(composition, SERVER)
    known = server & Of(SERVER, peer)
    mistaken = server & Of(SERVER, attacker)
    return Safety(
        "client-authenticated",
        "where the server takes a client for the owner of a certificate, it trusts that certificate (else, if it goes "
        "on, it takes the client for nobody), and shares its keys with that client",
        "RFC 5246 7.4.8",
        ~(known & ~Of(SERVER, common)) & ~mistaken,
        known,
    )


def alert_ends(composition: Composition) -> tuple[Safety, ...]:
    """The properties of who ends the connection, where there is an attacker: else nothing illegal comes."""
    last = tuple(
        code
        for code, packet in enumerate(composition.packets, 1)
        if packet.symbol.has(fatal) or packet.symbol.has(closure)
    )
    sides = tuple(guard for side in (CLIENT, SERVER) if (guard := _ended(composition, side)) is not None)
    holds = all_of(sides)
    if holds is None:
        return ()
    came = {side: Of(side, illegal) for side in (CLIENT, SERVER)}
    return (
        Safety(
            "alert-ends",
            "who has sent a fatal alert or close_notify has ended",
            "RFC 5246 7.2.2",
            holds,
            OnTheWay(last, composition.bound),
        ),
        Safety(
            "illegal-ends",
            "a side to which a message has come that its table refuses has ended, and so accepts nothing after it",
            "RFC 5246 7.2.2",
            (~came[CLIENT] | _over(composition, CLIENT)) & (~came[SERVER] | _over(composition, SERVER)),
            came[CLIENT] | came[SERVER],
        ),
    )


def no_downgrade(composition: Composition) -> Safety:
    """The property that a model has in which the client may offer an older version than it has."""
    client, server = _connected(composition, CLIENT), _connected(composition, SERVER)
    return Safety(
        "no-downgrade",
        "a client and a server that both have a newer version do not finish in an older one",
        "RFC 7507 3",
        ~(client & server & (Of(CLIENT, older) | Of(SERVER, older))),
        client & server,
    )


def composed(setting: Setting) -> Composition:
    """The model of the setting with its properties and what it presumes."""
    kind = ExportComposer if setting.export else FallbackComposer if setting.fallback else Composer
    bare = compose(setting, kind)
    held = list(safety(bare))
    if setting.client_auth:
        held.insert(1, client_authenticated(bare))
    if setting.attacked:
        held += [*alert_ends(bare), *[no_downgrade(bare)] * setting.fallback]
    presumed = (TWO_VERSIONS if setting.fallback else ONE_HANDSHAKE, *[SHORT_KEYS] * setting.export)
    presumed += (DOUBTED,) * setting.client_auth
    return replace(bare, safety=tuple(held), assumptions=(*ASSUMPTIONS, *presumed))


def settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """Everything that is explored: where protections are taken out, with an attacker only."""
    for key_exchange in ("rsa", "ecdhe"):
        for client_auth, resume in ((False, False), (True, False), (False, True), (True, True)):
            for attacked in (True,) if removed else (False, True):
                yield Setting(key_exchange, client_auth, resume, bound, attacked, removed)
    yield Setting(bound=bound, removed=removed, export=True)


def fallback_settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """Those in which the client falls back to an older version."""
    for attacked in (True,) if removed else (False, True):
        yield Setting(bound=bound, attacked=attacked, removed=removed, fallback=True)
