"""What must hold in every state of TLS 1.2 with an attacker, and the settings in which it is explored.

Each property is an expression over the columns of `model.tls12_composed`, and each has a protection of
`model.protections` without which it does not hold: a property that nothing can break proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shakeproof.model.composition import ATTACKER, Composition, Of, Safety
from shakeproof.model.facts import Guard
from shakeproof.model.tls12 import CONNECTED
from shakeproof.model.tls12_composed import compose
from shakeproof.model.tls12_setting import (
    CLIENT,
    SERVER,
    Setting,
    altered,
    common,
    earlier,
    exposed,
    forged,
    lost,
    no_keys,
    peer,
    reads,
)

ASSUMPTIONS = (
    "cryptography is perfect: nobody signs, decrypts or computes a MAC without the key",
    "the attacker holds no key of the server's, of the client's or of a trusted authority's",
    "one connection, one handshake: no renegotiation, no tickets, TLS 1.2 only, no close_notify of one's own accord",
    "an attacker that tampers with a hello keeps its random, so that the keys still agree",
    "the session that is resumed is the client's and the server's alone",
)


def _connected(composition: Composition, side: str) -> Guard:
    return Of(side, composition.column(f"{side}.state").fact[CONNECTED.name])


def safety(composition: Composition) -> tuple[Safety, ...]:
    """The properties, for a composition of TLS 1.2."""
    client, server = _connected(composition, CLIENT), _connected(composition, SERVER)
    shared = (Of(CLIENT, common) & Of(SERVER, common)) | (Of(CLIENT, earlier) & Of(SERVER, earlier))
    return (
        Safety(
            "server-authenticated",
            "a client that has finished shares its keys with the server that it wanted, and with nobody else",
            "RFC 5246 F.1.1",
            ~(client & (Of(CLIENT, no_keys) | Of(CLIENT, exposed) | Of(CLIENT, lost))),
        ),
        Safety(
            "client-authenticated",
            "where the server takes a client for the owner of a certificate, it shares its keys with that client",
            "RFC 5246 7.4.8",
            ~(server & Of(SERVER, peer) & ~Of(SERVER, common)),
        ),
        Safety(
            "key-agreed",
            "a server that has finished has keys that were made of a secret that somebody sent it",
            "RFC 5246 7.1",
            ~(server & (Of(SERVER, no_keys) | Of(SERVER, lost))),
        ),
        Safety(
            "handshake-agreed",
            "a client and a server that have finished with the same keys have seen the same handshake",
            "RFC 5246 7.4.9",
            ~(client & server & shared & Of("network", altered)),
        ),
        Safety(
            "session-secret",
            "nobody but the server reads what the client's application sends",
            "RFC 5246 F.1.1",
            ~Of(ATTACKER, reads),
        ),
        Safety(
            "data-authentic",
            "data is accepted only from the peer with which the keys are shared",
            "RFC 5246 6.2.3",
            ~(Of(CLIENT, forged) | (Of(SERVER, forged) & (Of(SERVER, common) | Of(SERVER, earlier)))),
        ),
    )  # fmt: skip


def composed(setting: Setting) -> Composition:
    """The model of the setting with its properties and what it presumes."""
    bare = compose(setting)
    return replace(bare, safety=safety(bare), assumptions=ASSUMPTIONS)


def settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """Everything that is explored: where protections are taken out, with an attacker only."""
    for key_exchange in ("rsa", "ecdhe"):
        for client_auth, resume in ((False, False), (True, False), (False, True)):
            for attacked in (True,) if removed else (False, True):
                yield Setting(key_exchange, client_auth, resume, bound, attacked, removed)


def tls12_models(bound: int, removed: tuple[str, ...]) -> Iterator[Composition]:
    """The models, each made when it is asked for."""
    return map(composed, settings(bound, removed))
