"""Large transfers both ways, in records of odd sizes: ours by max_fragment, theirs where they can be told."""

from __future__ import annotations

import pytest

from tests.interop.conftest import STACKS, GetServer, GetStack
from tests.interop.material import Material
from tests.interop.ours import EchoServer, connect
from tests.interop.speakers import speaker_for
from tests.interop.stacks import Role, Serve, Visit

pytestmark = pytest.mark.slow

LINE = b"%08x is the number of this line of sixty-four bytes, no more \n"
OUR_SIZES = {1: 1 << 11, 7: 1 << 14, 100: 1 << 17, 511: 1 << 18, 4097: 1 << 20, 16384: 1 << 20}
"""Bytes of a record: of a whole transfer. Small records make many, which take time."""


def lines(length: int) -> bytes:
    """Data of about that length, no two lines alike."""
    return b"".join([LINE % number for number in range(length // len(LINE % 0))])


def our_cells(role: Role) -> list[tuple[str, int]]:
    """Stacks that have the role, with each size of our records."""
    return [(name, size) for name, stack in STACKS.items() if role in stack.abilities for size in OUR_SIZES]


def their_cells(role: Role) -> list[tuple[str, int]]:
    """Stacks that have the role, with each size of their records that they can be told to send."""
    able = {name: stack.abilities[role] for name, stack in STACKS.items() if role in stack.abilities}
    return [(name, size) for name, abilities in able.items() for size in abilities.records]


@pytest.mark.parametrize(("name", "size"), our_cells("server"))
def test_our_client_sends_records_of_that_size(name: str, size: int, get_server: GetServer, material: Material) -> None:
    server = get_server(name, Serve())
    data = lines(min(OUR_SIZES[size], STACKS[name].abilities["server"].largest))
    with connect(server.port, material.client_config(max_fragment=size)) as link:
        link.shake_hands()
        link.exchange(data, server.answer(data))
        link.close()
        assert link.is_clean, link.describe()
    assert server.report().clean is STACKS[name].abilities["server"].clean


@pytest.mark.parametrize(("name", "size"), our_cells("client"))
def test_our_server_sends_records_of_that_size(name: str, size: int, get_stack: GetStack, material: Material) -> None:
    stack = get_stack(name)
    data = lines(min(OUR_SIZES[size], stack.abilities["client"].largest))
    with EchoServer(material.server_config(max_fragment=size, coalesce=True), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(data))
        link = server.link()
    assert visited.received == data
    assert link.is_clean, link.describe()


@pytest.mark.parametrize(("name", "size"), their_cells("server"))
def test_a_foreign_server_sends_records_of_that_size(
    name: str, size: int, get_server: GetServer, material: Material
) -> None:
    server = get_server(name, Serve(record=size))
    data = lines(transfer(name, "server", size))
    with connect(server.port, material.client_config()) as link:
        link.shake_hands()
        link.exchange(data, server.answer(data))
        link.close()
        assert link.is_clean, link.describe()
    assert link.largest <= size
    assert server.report().clean is STACKS[name].abilities["server"].clean


@pytest.mark.parametrize(("name", "size"), their_cells("client"))
def test_a_foreign_client_sends_records_of_that_size(
    name: str, size: int, get_stack: GetStack, material: Material
) -> None:
    stack = get_stack(name)
    data = lines(transfer(name, "client", size))
    with EchoServer(material.server_config(), speaker_for(name)) as server:
        visited = stack.visit(server.port, Visit(data, record=size))
        link = server.link()
    assert visited.received == data
    assert link.is_clean, link.describe()
    assert link.largest <= size


def transfer(name: str, role: Role, size: int) -> int:
    """Bytes to transfer in their records of that size."""
    return min(STACKS[name].abilities[role].largest, size << 11)
