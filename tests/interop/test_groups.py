"""Each group for a key exchange, elliptic or finite, with every stack that has it, in both directions."""

from __future__ import annotations

import pytest

from shakeproof.impl.tls import NamedGroup
from shakeproof.impl.tls.suites import SUITES_BY_NAME
from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import Material
from tests.interop.ours import EchoServer, completed, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Role, Serve, Visit

pytestmark = pytest.mark.slow

DATA = b"".join(b"line %d of a few\n" % number for number in range(200))
ELLIPTIC = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
FINITE = (NamedGroup.FFDHE2048, NamedGroup.FFDHE3072, NamedGroup.FFDHE4096)
SUITES = {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": ELLIPTIC, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256": FINITE}
CHOOSE_BY_RFC_7919 = ("gnutls", "tlslite")
"""Servers that take one of the client's groups for DHE; OpenSSL takes its own for TLS 1.2."""


def cells(role: Role) -> list[tuple[str, str, NamedGroup]]:
    """Stacks that have the role and the suite, with each group."""
    able = {name: stack.abilities[role].suites for name, stack in STACKS.items() if role in stack.abilities}
    offers = [(name, suite) for name, has in able.items() for suite in SUITES if suite in has]
    return [(name, suite, group) for name, suite in offers for group in SUITES[suite]]


SERVERS = [cell for cell in cells("server") if cell[2] in ELLIPTIC or cell[0] in CHOOSE_BY_RFC_7919]


@pytest.mark.parametrize(("name", "suite", "group"), SERVERS)
def test_our_client_and_a_foreign_server_agree_in_that_group(
    name: str, suite: str, group: NamedGroup, get_server: GetServer, material: Material
) -> None:
    server = get_server(name, Serve())
    config = material.client_config(suites=(SUITES_BY_NAME[suite],), groups=(group,))
    with connect(server.port, config) as link:
        link.shake_hands()
        link.exchange(DATA, server.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert completed(link)[0].negotiated.group == group
    assert server.report().suite == suite


@pytest.mark.parametrize(("name", "suite", "group"), cells("client"))
def test_a_foreign_client_and_our_server_agree_in_that_group(
    name: str, suite: str, group: NamedGroup, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(groups=(group,)), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, suite))
        link = server.link()
    assert visited.received == DATA
    assert link.is_clean, link.describe()
    assert completed(link)[0].negotiated.group == group
