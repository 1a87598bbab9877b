"""Every cipher suite that both have, with every stack, in both directions: handshake, data both ways, clean close.

One suite for each stack is tried in every run of the tests; all the others, and all other tests of interoperation,
are slow ones together.
"""

from __future__ import annotations

import pytest
from _pytest.mark.structures import ParameterSet

from shakeproof.impl.tls.suites import SUITES_BY_NAME
from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import Material
from tests.interop.ours import EchoServer, completed, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Role, Serve, Visit

DATA = b"".join(b"line %d of a few\n" % number for number in range(200))


def cells(role: Role) -> list[ParameterSet]:
    """Stacks that have the role, with each suite that we have too, our favourite first."""
    found = []
    for name, stack in STACKS.items():
        if role in stack.abilities:
            suites = [suite for suite in SUITES_BY_NAME if suite in stack.abilities[role].suites]
            found.append(pytest.param(name, suites[0]))
            found += [pytest.param(name, suite, marks=pytest.mark.slow) for suite in suites[1:]]
    return found


@pytest.mark.parametrize(("name", "suite"), cells("server"))
def test_our_client_with_a_foreign_server(name: str, suite: str, get_server: GetServer, material: Material) -> None:
    server = get_server(name, Serve())
    with connect(server.port, material.client_config(suites=(SUITES_BY_NAME[suite],))) as link:
        link.shake_hands()
        link.exchange(DATA, server.answer(DATA))
        link.close()
        assert link.is_clean, link.describe()
    assert len(completed(link)) == 1
    report = server.report()
    assert report.suite == suite
    assert report.clean is STACKS[name].abilities["server"].clean
    assert not report.resumed


@pytest.mark.parametrize(("name", "suite"), cells("client"))
def test_our_server_with_a_foreign_client(name: str, suite: str, get_stack: GetStack, material: Material) -> None:
    stack = get_stack(name)
    with EchoServer(material.server_config(), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(DATA, suite))
        link = server.link()
    assert visited.received == DATA
    assert link.is_clean, link.describe()
    [handshake] = completed(link)
    assert str(handshake.negotiated.suite) == suite
    [report] = visited.reports
    assert report.suite == suite
    assert report.clean is STACKS[name].abilities["client"].clean
