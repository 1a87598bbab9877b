"""Renegotiation with the stacks that can, begun by either side, allowed and refused."""

from __future__ import annotations

import pytest

from shakeproof.impl.tls import AlertDescription, AlertLevel, AlertReceived, RenegotiationRefused
from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import Material
from tests.interop.openssl import Openssl
from tests.interop.ours import EchoServer, completed, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Role, Serve, Visit

pytestmark = pytest.mark.slow

DATA = b"".join(b"line %d of a few\n" % number for number in range(200))
NO_RENEGOTIATION = AlertReceived(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
REFUSE_POLITELY = ["openssl", "tlslite", "ssl"]
"""Servers that refuse with a warning, and go on."""
ANSWER_HELLO_REQUESTS = ["openssl", "gnutls", "curl", "node", "go", "ssl"]
"""Clients that follow a server's HelloRequest."""


def able(role: Role) -> list[str]:
    """Stacks that renegotiate in that role when told to."""
    return [name for name, stack in STACKS.items() if role in stack.abilities and stack.abilities[role].renegotiates]


@pytest.mark.parametrize("name", able("server"))
def test_our_client_renegotiates_with_a_foreign_server(name: str, get_server: GetServer, material: Material) -> None:
    server = get_server(name, Serve(renegotiation="allow"))
    with connect(server.port, material.client_config(renegotiation="allow")) as link:
        link.shake_hands()
        link.exchange(DATA, server.answer(DATA))
        link.connection.renegotiate()
        link.until("the second handshake", lambda: len(completed(link)) == 2)
        link.exchange(DATA, server.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert server.report().clean is STACKS[name].abilities["server"].clean


@pytest.mark.parametrize("name", able("client"))
def test_a_foreign_client_renegotiates_with_our_server(name: str, get_stack: GetStack, material: Material) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(renegotiation="allow"), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, renegotiate=True))
        link = server.link()
    assert visited.received == DATA
    assert link.is_clean, link.describe()
    assert len(completed(link)) == 2


@pytest.mark.parametrize("name", able("client"))
def test_our_server_refuses_a_foreign_client_to_renegotiate(name: str, get_stack: GetStack, material: Material) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(), speaker_for(name)) as server:
        with pytest.raises(AssertionError, match=r"(?i)no.renegotiation|rehandshake"):
            stack.visit(server.port, Visit(DATA, renegotiate=True))
        link = server.link()
    assert link.has(RenegotiationRefused)
    assert len(completed(link)) == 1


@pytest.mark.parametrize("name", ANSWER_HELLO_REQUESTS)
def test_a_foreign_client_follows_our_servers_hello_request(name: str, get_stack: GetStack, material: Material) -> None:
    stack = get_stack(name)
    config = material.server_config(renegotiation="allow")
    with EchoServer(config, speaker_for(name), renegotiates=True) as server:
        visited = stack.visit(server.port, Visit(DATA, renegotiate=name == "go"))
        link = server.link()
    assert visited.received == DATA
    assert link.is_clean, link.describe()
    assert len(completed(link)) == 2


@pytest.mark.parametrize("name", REFUSE_POLITELY)
def test_our_client_goes_on_when_a_foreign_server_refuses(name: str, get_server: GetServer, material: Material) -> None:
    server = get_server(name, Serve())
    with connect(server.port, material.client_config(renegotiation="allow")) as link:
        link.shake_hands()
        link.connection.renegotiate()
        link.until("the refusal", lambda: NO_RENEGOTIATION in link.events)
        assert link.connection.is_connected
        link.exchange(DATA, server.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert len(completed(link)) == 1
    assert server.report().clean is STACKS[name].abilities["server"].clean


def test_gos_server_ends_the_connection_of_our_client_that_renegotiates(
    get_server: GetServer, material: Material
) -> None:
    server = get_server("go", Serve())
    with connect(server.port, material.client_config(renegotiation="allow")) as link:
        link.shake_hands()
        link.connection.renegotiate()
        link.until("the end", lambda: not link.connection.is_open)
    assert link.events[-1] == AlertReceived(AlertLevel.FATAL, AlertDescription.UNEXPECTED_MESSAGE)


def test_gos_client_refuses_our_servers_hello_request(get_stack: GetStack, material: Material) -> None:
    stack = get_stack("go")
    config = material.server_config(renegotiation="allow")
    with EchoServer(config, speaker_for("go"), renegotiates=True) as server:
        with pytest.raises(AssertionError, match="no renegotiation"):
            stack.visit(server.port, Visit(DATA))
        link = server.link()
    assert NO_RENEGOTIATION in link.events
    assert len(completed(link)) == 1


@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
def test_openssls_server_asks_our_client(is_allowed: bool, get_stack: GetStack, material: Material) -> None:
    openssl = get_stack("openssl")
    assert isinstance(openssl, Openssl)
    config = material.client_config(renegotiation="allow" if is_allowed else "refuse")
    with openssl.terminal() as server, connect(server.port, config) as link:
        link.shake_hands()
        link.connection.send_application_data(b"hello\n")
        link.flush()
        server.process.line("^hello$", server.process.stdout)
        server.process.send(b"r\n")
        if is_allowed:
            link.until("the second handshake", lambda: len(completed(link)) == 2)
            server.process.send(b"answer\n")
            link.until("the answer", lambda: link.received == b"answer\n")
            link.close()
            assert link.is_clean, link.describe()
        else:
            link.until("the end", lambda: not link.connection.is_open)
            assert link.has(RenegotiationRefused)
            assert link.events[-1] == AlertReceived(AlertLevel.FATAL, AlertDescription.HANDSHAKE_FAILURE)


@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
def test_gnutlss_server_asks_our_client(is_allowed: bool, get_server: GetServer, material: Material) -> None:
    """It does so at a word of ours, and answers that word with data in the midst of the handshake."""
    server = get_server("gnutls", Serve())
    with connect(server.port, material.client_config(renegotiation="allow" if is_allowed else "refuse")) as link:
        link.shake_hands()
        link.connection.send_application_data(b"**REHANDSHAKE**\n")
        if is_allowed:
            link.until("the second handshake", lambda: len(completed(link)) == 2)
            assert link.received == b"Successfully executed command\n"
            link.exchange(DATA, server.answer(DATA))
            link.close()
            assert link.is_clean, link.describe()
        else:
            link.until("the end", lambda: link.ended)  # it gives up, without a word
            assert link.has(RenegotiationRefused)
