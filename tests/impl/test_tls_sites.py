"""Several names on one server: each with its credentials, protocols and client-CA policy."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.tls import AlertDescription, ClientConnection, Credential, ServerConnection, Site
from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.messages import ServerHello
from shakeproof.impl.tls.suites import CipherSuite
from tests.impl.tls_material import (
    NAME,
    client_config,
    client_rsa_credential,
    connected,
    make_credential,
    pair,
    pump,
    refused,
    rsa_credential,
    rsa_key,
    server_config,
    verify_client,
)

A = AlertDescription
CLOSED, OPEN = "closed.test", "open.test"


def credential(name: str) -> Credential:
    """The site's own certificate."""
    return make_credential(rsa_key(), name=name)


def sites(**of_the_closed_one: Any) -> dict[str, Any]:
    """A server with two sites besides the default one."""
    policy: dict[str, Any] = {"client_authentication": "require", "verify_client": verify_client}
    return {
        "alpn": ("http/1.1",),
        "sites": {
            OPEN: Site(credentials=[credential(OPEN)], alpn=("h2", "http/1.1")),
            CLOSED: Site(credentials=[credential(CLOSED)], **(policy | of_the_closed_one)),
        },
    }


def to(name: str, **changes: Any) -> dict[str, Any]:
    """A client of that site that knows its certificate by its looks."""
    return {"server_name": name, "alpn": ("http/1.1", "h2"), "credentials": [client_rsa_credential()]} | changes


@pytest.mark.parametrize("fragment", [1, 16384])
def test_each_name_gets_its_certificate_protocols_and_policy(fragment: int) -> None:
    changes = sites()
    expected = {
        OPEN: (changes["sites"][OPEN].credentials[0].chain, "h2", ()),
        CLOSED: (changes["sites"][CLOSED].credentials[0].chain, None, client_rsa_credential().chain),
        NAME: (rsa_credential().chain, "http/1.1", ()),
        "unknown.test": (rsa_credential().chain, "http/1.1", ()),
        CLOSED.upper(): (changes["sites"][CLOSED].credentials[0].chain, None, client_rsa_credential().chain),
        "127.0.0.1": (rsa_credential().chain, "http/1.1", ()),
    }
    for name, (chain, alpn, shown) in expected.items():
        client, server = connected(to(name, max_fragment=fragment), {"credentials": [rsa_credential()]} | changes)
        assert client.negotiated.peer_certificates == chain, name
        assert client.negotiated.alpn == server.negotiated.alpn == alpn
        assert server.negotiated.client_certificates == shown


def test_a_name_that_comes_in_a_later_record_counts() -> None:
    """The server decides once the whole ClientHello is there, so that nobody slips past a site's policy."""
    client, server = pair(to(CLOSED, credentials=(), max_fragment=10), sites())
    refused(client, server, A.HANDSHAKE_FAILURE)


def test_policy_is_the_sites_and_not_the_default_ones() -> None:
    strict: dict[str, Any] = {"client_authentication": "require", "verify_client": verify_client}
    client, _ = connected(to(OPEN, credentials=()), sites() | strict)
    assert client.certificate_request is None
    refused(*pair(to("unknown.test", credentials=()), sites() | strict), A.HANDSHAKE_FAILURE)
    connected(to(CLOSED, credentials=()), sites(client_authentication="request"))


def test_an_unknown_name_is_unrecognized_where_names_are_listed_and_sites_are_served_beside_them() -> None:
    listed = sites() | {"server_names": frozenset({NAME.upper()})}
    connected(to(NAME), listed)
    connected(to(OPEN), listed)
    refused(*pair(to("unknown.test"), listed), A.UNRECOGNIZED_NAME)


def test_a_name_is_acknowledged_where_it_guided_the_server() -> None:
    for name, acknowledged in ((OPEN, True), ("unknown.test", False)):
        client, server = pair(to(name), sites())
        made = seen_hellos(server)
        pump(client, server)
        assert (made[0].extension(ExtensionType.SERVER_NAME) is not None) is acknowledged


def seen_hellos(server: ServerConnection) -> list[ServerHello]:
    """The ServerHello messages that it makes from now on."""
    made: list[ServerHello] = []
    original = server.make_server_hello

    def make_server_hello(suite: CipherSuite, offer: Any) -> ServerHello:
        made.append(original(suite, offer))
        return made[-1]

    server.make_server_hello = make_server_hello  # type: ignore[method-assign]
    return made


def test_a_protocol_that_the_site_does_not_have_is_no_application_protocol() -> None:
    refused(*pair(to(OPEN, alpn=("spdy/1",)), sites()), A.NO_APPLICATION_PROTOCOL)


def test_a_site_whose_name_is_not_in_lower_case_is_refused_by_the_config() -> None:
    with pytest.raises(ValueError, match="lower case"):
        server_config(sites={"Open.test": Site(credentials=[rsa_credential()])})


def test_the_default_site_is_the_config() -> None:
    config = server_config(alpn=("h2",))
    site = config.default_site
    assert (site.credentials, site.alpn, site.client_authentication) == (config.credentials, ("h2",), "none")
    assert ServerConnection(config).choose_site(None) == site
    assert ClientConnection(client_config()).session is None
