"""Checks that are left out: signatures, verify_data, MAC, padding, the certificate."""

from __future__ import annotations

from collections.abc import Callable

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.protection import CbcHmacProtection, Protection

Connection = ClientConnection | ServerConnection


def goto_fail(connection: Connection) -> None:
    """The signature of ServerKeyExchange is not verified."""
    if isinstance(connection, ClientConnection):
        _leave_out(connection, "check_server_key_exchange_signature")


def finished_unchecked(connection: Connection) -> None:
    """verify_data is not compared."""
    _leave_out(connection, "check_finished")


def certificate_unchecked(connection: Connection) -> None:
    """No chain is validated."""
    if isinstance(connection, ClientConnection):
        _leave_out(connection, "check_certificate_chain")


def mac_unchecked(connection: Connection) -> None:
    """Every MAC of a CBC record is taken for right."""

    def plant(protection: CbcHmacProtection) -> None:
        setattr(protection, "check_mac", lambda computed, received: True)  # noqa: B010  # on this object alone

    _protect_with(connection, plant)


def padding_unchecked(connection: Connection) -> None:
    """Of the padding of a CBC record only the length is looked at."""

    def plant(protection: CbcHmacProtection) -> None:
        def fits(block: bytes) -> bool:
            return block[-1] + 1 + protection.mac_length <= len(block)

        setattr(protection, "check_padding", fits)  # noqa: B010  # on this object alone

    _protect_with(connection, plant)


def _protect_with(connection: Connection, plant: Callable[[CbcHmacProtection], None]) -> None:
    sound = connection.make_protection

    def make_protection(*, by_client: bool) -> Protection:
        protection = sound(by_client=by_client)
        if isinstance(protection, CbcHmacProtection):
            plant(protection)
        return protection

    setattr(connection, "make_protection", make_protection)  # noqa: B010  # on this object alone


def _leave_out(connection: Connection, check: str) -> None:
    if not callable(getattr(connection, check)):
        raise TypeError(f"{check} is no method of {type(connection).__name__}")
    setattr(connection, check, lambda *_: None)
