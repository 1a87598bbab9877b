"""What must hold where sessions mingle, and the settings in which it is explored: renegotiation, and triple handshake.

Both are about one thing: a server takes what comes in over one connection for the words of one peer. In the first
family the client wants the server, and the attacker has a connection to it already; in the second it wants the
attacker's own server, and then resumes its session and renegotiates. There the server never takes anybody for the owner
of a certificate while the protection is in place; so there is a model beside it in which the client wants the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shakeproof.model.composition import Composition, Is, Of, Safety
from shakeproof.model.tls12 import CONNECTED
from shakeproof.model.tls12_sessions import compose
from shakeproof.model.tls12_sessions_setting import Setting, forged, genuine, spliced
from shakeproof.model.tls12_setting import SERVER, peer

RENEGOTIATION, TRIPLE = "renegotiation", "triple-handshake"

ASSUMPTIONS = (
    "cryptography is perfect: nobody signs, decrypts or computes a MAC without the key",
    "where sessions mingle: one client and one server, RSA key transport, no tickets; who tampers with a hello keeps"
    " its random; a side has one message on the way at a time",
    "where sessions mingle: both sides insist on renegotiation_info and on extended_master_secret",
    "the attacker is anonymous as a client; with client-auth, the client's certificate is the only one that is trusted",
)
OF_TRIPLE = (
    "triple-handshake: the attacker has a valid certificate for its own name, and the client connects to it",
    "triple-handshake: in a renegotiation the client takes the certificate of another server (RFC 7627 section 6.1)",
)


def safety(composition: Composition, setting: Setting) -> tuple[Safety, ...]:
    """The properties, for a composition of sessions that mingle."""
    triple = setting.family == TRIPLE
    connected = Of(SERVER, composition.column(f"{SERVER}.state").fact[CONNECTED.name])
    accepted = Of(SERVER, genuine) | Of(SERVER, forged) | Of(SERVER, spliced)
    known = connected & Is(f"{SERVER}.owner", peer.bit)
    one_peer = Safety(
        "one-peer",
        "all data that the server accepts on one connection is from one and the same peer",
        "RFC 5746 1",
        ~Of(SERVER, spliced),
        accepted,
    )
    client_spoke = Safety(
        "data-of-the-client",
        "where the server takes a client for the owner of a certificate, no data on that connection is the attacker's",
        "RFC 7627 6.1" if triple else "RFC 5746 1",
        ~(known & (Of(SERVER, forged) | Of(SERVER, spliced))),
        known & accepted,
    )
    return (*[one_peer] * (not triple), *[client_spoke] * setting.client_auth)


def composed(setting: Setting) -> Composition:
    """The model of the setting with its properties and what it presumes."""
    bare = compose(setting)
    more = OF_TRIPLE if setting.wants_attacker else ()
    return replace(bare, safety=safety(bare, setting), assumptions=(*ASSUMPTIONS, *more))


def renegotiation_settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """A client that connects to the server, without and with a certificate."""
    for client_auth in (False, True):
        for attacked in (True,) if removed else (False, True):
            yield Setting(RENEGOTIATION, False, client_auth, False, bound, attacked, removed)


def renegotiation_models(bound: int, removed: tuple[str, ...]) -> Iterator[Composition]:
    """The models of that, each made when it is asked for."""
    return map(composed, renegotiation_settings(bound, removed))


def triple_settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """A client that connects to the attacker's server, or to the server, resumes its session, and renegotiates with a
    certificate.
    """
    for attacked in (True,) if removed else (False, True):
        yield Setting(TRIPLE, attacked, True, True, bound, attacked, removed)
    if not removed:
        yield Setting(TRIPLE, False, True, True, bound)
