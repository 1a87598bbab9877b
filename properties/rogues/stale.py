"""State that outlives what it belongs to: a session, a handshake, a record."""

from __future__ import annotations

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.config import Site
from shakeproof.impl.tls.messages import ClientHello
from shakeproof.impl.tls.server_hello import Offer

Connection = ClientConnection | ServerConnection


def unbound_renegotiation(connection: Connection) -> None:
    """A second handshake is not compared with the first: what came before it may be an attacker's."""
    setattr(connection, "check_renegotiated_connection", lambda _: None)  # noqa: B010  # on this object alone
    if isinstance(connection, ServerConnection):
        setattr(connection, "check_no_scsv", lambda _: None)  # noqa: B010  # on this object alone


def renegotiation_info_unread(connection: Connection) -> None:
    """Whatever renegotiation_info says is taken for right, in the first handshake and in every other."""
    setattr(connection, "check_renegotiation_info", lambda *_: True)  # noqa: B010  # on this object alone


def bare_renegotiation_crash(connection: Connection) -> None:
    """A second ClientHello without signature_algorithms: what the first one said is gone, and used all the same."""
    if not isinstance(connection, ServerConnection):
        return
    sound = connection.read_offer

    def read_offer(message: ClientHello) -> Offer:
        if connection.established and not message.extensions:
            raise TypeError("'NoneType' object is not iterable")
        return sound(message)

    setattr(connection, "read_offer", read_offer)  # noqa: B010  # on this object alone


def resumed_under_other_name(connection: Connection) -> None:
    """A session is resumed under whatever name the client now asks for."""
    if isinstance(connection, ServerConnection):
        setattr(connection, "admit_session_name", lambda *_: True)  # noqa: B010  # on this object alone


def bond_forgotten(connection: Connection) -> None:
    """Whether a session has an extended master secret is not compared with what the hello says."""
    setattr(connection, "check_session_extended_master_secret", lambda *_: None)  # noqa: B010  # on this object alone


def default_site_for_fragments(connection: Connection) -> None:
    """A ClientHello that comes in several records is served the default site, whatever name it asks for."""
    if not isinstance(connection, ServerConnection):
        return
    reader = connection.handshake_reader
    sound_feed, sound_choose = reader.feed, connection.choose_site
    pieces = 0

    def feed(fragment: bytes) -> None:
        nonlocal pieces
        pieces = pieces + 1 if reader.pending else 1
        sound_feed(fragment)

    def choose_site(server_name: str | None) -> Site:
        return sound_choose(server_name if pieces <= 1 else None)

    setattr(reader, "feed", feed)  # noqa: B010  # on this object alone
    setattr(connection, "choose_site", choose_site)  # noqa: B010  # on this object alone
