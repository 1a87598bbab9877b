"""Resumption, by session id and by ticket, with every stack that can, in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.tls import ClientConfig
from shakeproof.impl.tls.sessions import SessionCache
from shakeproof.impl.tls.tickets import TicketKeys
from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import Material
from tests.interop.ours import EchoServer, completed, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Role, Serve, Session, Visit

pytestmark = pytest.mark.slow

DATA = b"".join(b"line %d of a few\n" % number for number in range(200))


def cells(role: Role) -> list[tuple[str, Session]]:
    """Stacks that have the role, with each way of resumption that they have."""
    able = {name: stack.abilities[role] for name, stack in STACKS.items() if role in stack.abilities}
    return [(name, session) for name, abilities in able.items() for session in abilities.sessions]


def client_config(name: str, material: Material, **changes: Any) -> ClientConfig:
    """For that stack's server. With extended master secret we offer no session that has been made without."""
    return material.client_config(extended_master_secret=STACKS[name].extended_master_secret, **changes)


@pytest.mark.parametrize(("name", "session"), cells("server"))
def test_our_client_resumes_a_foreign_servers_session(
    name: str, session: Session, get_server: GetServer, material: Material
) -> None:
    server = get_server(name, Serve(session=session))
    kept = None
    for is_resumed in (False, True, True):
        config = client_config(name, material, tickets=session == "ticket", session=kept)
        with connect(server.port, config) as link:
            link.shake_hands()
            link.exchange(DATA, server.answer(DATA))
            kept = link.connection.session or kept
            link.close()
            assert link.is_clean, link.describe()
        [handshake] = completed(link)
        assert handshake.negotiated.resumed is is_resumed
        assert server.report().resumed in (is_resumed, None)
        assert kept is not None
        assert bool(kept.ticket) == (session == "ticket")


@pytest.mark.parametrize(("name", "session"), cells("client"))
def test_a_foreign_client_resumes_our_servers_session(
    name: str, session: Session, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    config = material.server_config(
        sessions=SessionCache() if session == "id" else None, ticket_keys=TicketKeys() if session == "ticket" else None
    )
    with EchoServer(config, speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, session=session, times=2))
        links = [server.link(0), server.link(1)]
    assert visited.received.endswith(DATA)
    assert len(visited.received) % len(DATA) == 0
    for link, is_resumed in zip(links, (False, True), strict=True):
        assert link.is_clean, link.describe()
        [handshake] = completed(link)
        assert handshake.negotiated.resumed is is_resumed
    for report, is_resumed in zip(visited.reports, (False, True), strict=True):
        assert report.resumed in (is_resumed, None)


@pytest.mark.parametrize(("name", "session"), cells("server"))
def test_a_foreign_server_that_has_forgotten_the_session_gives_a_full_handshake(
    name: str, session: Session, get_server: GetServer, material: Material
) -> None:
    first = get_server(name, Serve(session=session))
    with connect(first.port, client_config(name, material)) as link:
        link.shake_hands()
        link.exchange(DATA, first.answer(DATA))
        kept = link.connection.session
        link.close()
    assert first.report()
    other = get_server(name, Serve())  # another process, with other keys and another cache
    with connect(other.port, client_config(name, material, session=kept)) as link:
        link.shake_hands()
        link.exchange(DATA, other.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert not completed(link)[0].negotiated.resumed
    assert not other.report().resumed


# tlslite-ng's client believes that its ticket is taken, whatever ServerHello says.
FORGOTTEN = [cell for cell in cells("client") if cell != ("tlslite", "ticket")]


@pytest.mark.parametrize(("name", "session"), FORGOTTEN)
def test_a_foreign_client_gets_a_full_handshake_when_our_server_has_forgotten_the_session(
    name: str, session: Session, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    config = material.server_config(sessions=Forgetful(), ticket_keys=ForgetfulKeys() if session == "ticket" else None)
    with EchoServer(config, speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, session=session, times=2))
        links = [server.link(0), server.link(1)]
    assert visited.received.endswith(DATA)
    for link in links:
        assert link.is_clean, link.describe()
        assert not completed(link)[0].negotiated.resumed


class Forgetful(SessionCache):
    """Gives ids, and knows none."""

    def get(self, session_id: bytes, now: object) -> None:
        return None


class ForgetfulKeys(TicketKeys):
    """Gives tickets, and opens none."""

    def open(self, ticket: bytes, now: object) -> None:
        return None
