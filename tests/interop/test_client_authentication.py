"""Client certificates with every stack, in both directions: shown, not shown, and missing where they are required."""

from __future__ import annotations

import pytest

from shakeproof.impl.tls import AlertDescription, AlertReceived
from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import CLIENT_NAME, Material
from tests.interop.ours import EchoServer, completed, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Request, Role, Serve, Visit

pytestmark = pytest.mark.slow

DATA = b"".join(b"line %d of a few\n" % number for number in range(200))


def names(role: Role) -> list[str]:
    """Stacks that have the role."""
    return [name for name, stack in STACKS.items() if role in stack.abilities]


def cells(role: Role) -> list[tuple[str, Request, str]]:
    """Stacks that have the role, with what a server asks for and what a client shows."""
    kinds: list[tuple[Request, str]] = [("require", "rsa"), ("require", "ecdsa"), ("request", "rsa"), ("request", "")]
    return [(name, request, certificate) for name in names(role) for request, certificate in kinds]


@pytest.mark.parametrize(("name", "request_", "certificate"), cells("server"))
def test_our_client_shows_its_certificate_to_a_foreign_server(
    name: str, request_: Request, certificate: str, get_server: GetServer, material: Material
) -> None:
    server = get_server(name, Serve(client_auth=request_))
    credentials = [material.client[certificate].credential] if certificate else []
    with connect(server.port, material.client_config(credentials=credentials)) as link:
        link.shake_hands()
        link.exchange(DATA, server.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert server.report().client in (CLIENT_NAME if certificate else "", None)


@pytest.mark.parametrize("name", [name for name in names("server") if STACKS[name].abilities["server"].requires])
def test_our_client_without_a_certificate_is_refused_by_a_foreign_server_that_requires_one(
    name: str, get_server: GetServer, material: Material
) -> None:
    server = get_server(name, Serve(client_auth="require"))
    with connect(server.port, material.client_config()) as link:
        link.until("the refusal", lambda: not link.connection.is_open or link.ended)
    assert not completed(link)
    assert link.has(AlertReceived)
    assert link.connection.state == "CLOSED"


@pytest.mark.parametrize(("name", "request_", "certificate"), cells("client"))
def test_a_foreign_client_shows_its_certificate_to_our_server(
    name: str, request_: Request, certificate: str, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(client_authentication=request_), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, certificate=certificate))
        link = server.link()
    assert visited.received == DATA
    assert link.is_clean, link.describe()
    [handshake] = completed(link)
    shown = material.client[certificate].credential.chain if certificate else ()
    assert handshake.negotiated.client_certificates[:1] == shown  # OpenSSL adds the CA


@pytest.mark.parametrize("name", names("client"))
def test_a_foreign_client_without_a_certificate_is_refused_by_our_server_that_requires_one(
    name: str, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(client_authentication="require"), speaker_for(name)) as server:
        with pytest.raises(AssertionError):
            stack.visit(server.port, Visit(DATA))
        link = server.link()
    assert not completed(link)
    assert link.error is not None
    assert link.error.alert is AlertDescription.HANDSHAKE_FAILURE
    assert not link.has(AlertReceived)
