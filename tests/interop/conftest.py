"""Fixtures of the interoperation matrix."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.interop.curl import Curl
from tests.interop.gnutls import Gnutls
from tests.interop.libraries import Go, Node, PythonSsl, TlsliteNg
from tests.interop.material import PRIVATE_NAME, Material, make_material
from tests.interop.openssl import Openssl
from tests.interop.serving import Served, honest_context, serving
from tests.interop.stacks import Serve, Server, Stack

KINDS: tuple[type[Stack], ...] = (Openssl, Gnutls, Curl, Node, Go, TlsliteNg, PythonSsl)
STACKS = {kind.name: kind for kind in KINDS}

GetStack = Callable[[str], Stack]
GetServer = Callable[[str, Serve], Server]


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """CA and certificates."""
    return make_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="session")
def made_stacks() -> dict[str, Stack]:
    """The stacks that tests have asked for."""
    return {}


@pytest.fixture
def get_stack(
    made_stacks: dict[str, Stack],
    material: Material,
    tmp_path_factory: pytest.TempPathFactory,
    require_tool: Callable[[str], str],
) -> GetStack:
    """A stack by its name; skips where it is not installed."""

    def get(name: str) -> Stack:
        kind = STACKS[name]
        for tool in kind.tools:
            require_tool(tool)
        if name not in made_stacks:
            made_stacks[name] = kind(material, tmp_path_factory.mktemp(name))
        return made_stacks[name]

    return get


@pytest.fixture(scope="session")
def running_servers() -> Iterator[dict[tuple[str, Serve], Server]]:
    """Foreign servers, each started once and stopped at the end of the session."""
    servers: dict[tuple[str, Serve], Server] = {}
    yield servers
    for server in servers.values():
        server.process.stop()


@pytest.fixture
def get_server(get_stack: GetStack, running_servers: dict[tuple[str, Serve], Server]) -> GetServer:
    """A foreign server that runs, by its stack's name and how it serves."""

    def get(name: str, how: Serve) -> Server:
        stack = get_stack(name)
        server = running_servers.get((name, how))
        if server is not None and (server.is_owing or not server.process.is_running):
            server.process.stop()
            server = None
        if server is None:
            server = running_servers[name, how] = stack.serve(how)
        server.is_owing = True
        return server

    return get


def private_site(material: Material) -> list[str]:
    """The option for a name under which client certificates are required."""
    private = material.private
    words = f"{PRIVATE_NAME},cert={private.chain},key={private.key},client-ca={material.ca_file},client-auth=require"
    return ["--site", words]


@pytest.fixture(scope="session")
def served(material: Material) -> Iterator[Served]:
    """One server for all faults, which refuses to renegotiate."""
    with serving(material, material.folder, *private_site(material)) as program:
        yield program


@pytest.fixture(scope="session")
def renegotiating(material: Material) -> Iterator[Served]:
    """One that allows it."""
    with serving(material, material.folder, "--renegotiation", "allow", *private_site(material)) as program:
        yield program


@pytest.fixture(scope="session")
def honest(material: Material) -> ssl.SSLContext:
    """A client that does nothing wrong."""
    return honest_context(material)
