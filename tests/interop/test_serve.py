"""`shakeproof serve` and every foreign client: pages, large files, sessions, client certificates, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shakeproof.page import pattern
from tests.interop.conftest import STACKS, GetStack
from tests.interop.material import NAME, PRIVATE_NAME, Material
from tests.interop.peers import Process
from tests.interop.serving import Served, serving
from tests.interop.stacks import Visit, Visited

pytestmark = pytest.mark.slow

CLIENTS = [name for name, stack in STACKS.items() if "client" in stack.abilities]
SUITES = ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
MAX_FRAGMENT = 511
LARGE = 1 << 18
FOR_TLSLITE = 1 << 14
CLOSED = "closed"
"""How the server's line ends where it closed in good order; what a client has got of that, some tell and some don't."""
SAYS_HANDSHAKE_FAILURE = {
    "openssl": "alert handshake failure",
    "gnutls": r"Received alert \[40\]",
    "curl": "alert, handshake failure",
    "node": "alert handshake failure",
    "go": "remote error: tls: handshake failure",
    "tlslite": "TLSRemoteAlert: handshake_failure",
    "ssl": "ALERT_HANDSHAKE_FAILURE",
}
"""How each client words the alert."""


@pytest.fixture(scope="module")
def odd(material: Material) -> Iterator[Served]:
    """A server that sends records of an odd size."""
    with serving(material, material.folder, "--max-fragment", str(MAX_FRAGMENT)) as program:
        yield program


def body(visited: Visited) -> bytes:
    """The body of the last response, which has to be a good one."""
    assert visited.received.startswith(b"HTTP/1.1 200 "), visited.received
    return visited.received.rpartition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_foreign_client_gets_its_page(name: str, suite: str, get_stack: GetStack, served: Served) -> None:
    with served.saying(rf" {suite} .* · 1 request · {CLOSED}$"):
        visited = get_stack(name).visit(served.port, Visit(get="/", suite=suite))
    assert suite.encode() in body(visited)
    [report] = visited.reports
    assert report.suite == suite
    assert report.clean is STACKS[name].abilities["client"].clean


@pytest.mark.parametrize("name", CLIENTS)
def test_a_foreign_client_gets_a_large_file_in_odd_records(name: str, get_stack: GetStack, odd: Served) -> None:
    size = FOR_TLSLITE if name == "tlslite" else LARGE
    with odd.saying(rf" · 1 request · {CLOSED}$"):
        visited = get_stack(name).visit(odd.port, Visit(get=f"/bytes/{size}"))
    assert visited.received.endswith(b"\r\n\r\n" + pattern(size))
    assert visited.reports[0].clean is STACKS[name].abilities["client"].clean


@pytest.mark.parametrize("name", CLIENTS)
def test_a_foreign_client_comes_back_to_its_session(name: str, get_stack: GetStack, served: Served) -> None:
    for session in STACKS[name].abilities["client"].sessions:
        visited = get_stack(name).visit(served.port, Visit(get="/", session=session, times=2))
        assert body(visited)
        assert [report.resumed for report in visited.reports] in ([False, True], [None, None])
        assert b"resumed<td>yes" in visited.received


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_foreign_client_shows_its_certificate(name: str, kind: str, get_stack: GetStack, served: Served) -> None:
    assert body(get_stack(name).visit(served.port, Visit(get="/", name=PRIVATE_NAME, certificate=kind)))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_foreign_client_without_a_certificate_stays_outside(name: str, get_stack: GetStack, served: Served) -> None:
    with (
        served.saying(r" · alert handshake_failure: got an empty list in WAIT_CERTIFICATE, expected a client's certif"),
        pytest.raises(AssertionError, match=SAYS_HANDSHAKE_FAILURE[name]),
    ):
        get_stack(name).visit(served.port, Visit(get="/", name=PRIVATE_NAME))


@pytest.mark.parametrize("name", [name for name in CLIENTS if STACKS[name].abilities["client"].renegotiates])
def test_a_foreign_client_renegotiates_where_it_is_allowed(
    name: str, get_stack: GetStack, renegotiating: Served
) -> None:
    with renegotiating.saying(rf" · 1 request · 2 handshakes · {CLOSED}$"):
        assert body(get_stack(name).visit(renegotiating.port, Visit(get="/", renegotiate=True)))


def client(require_tool: Callable[[str], str], material: Material, *command: str | Path) -> tuple[int, str]:
    """Exit code and outputs of a client that is told nothing but where and whom to trust."""
    require_tool(str(command[0]))
    with Process([*command], material.folder) as process:
        process.send(b"", end=True)
        return process.wait(), process.describe()


def test_clients_that_offer_tls_1_3_too_get_tls_1_2(
    served: Served, material: Material, require_tool: Callable[[str], str]
) -> None:
    port = str(served.port)
    connect = ["-connect", f"127.0.0.1:{port}", "-servername", NAME]
    names = ["--sni-hostname", NAME, "--verify-hostname", NAME]
    url = ["--resolve", f"{NAME}:{port}:127.0.0.1", f"https://{NAME}:{port}/"]
    for command, expected in (
        (["openssl", "s_client", "-brief", "-CAfile", "ca.pem", *connect], "version: TLSv1.2"),
        (["gnutls-cli", "--x509cafile", "ca.pem", *names, "-p", port, "127.0.0.1"], "(TLS1.2-"),
        (["curl", "-sv", "--cacert", "ca.pem", *url], "TLSv1.2"),
    ):
        code, text = client(require_tool, material, *command)
        assert code == 0, text
        assert expected in text


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
@pytest.mark.parametrize(
    ("options", "alert"),
    [([], "protocol version"), (["-fallback_scsv"], "inappropriate fallback")],
    ids=["", "fallback"],
)
def test_openssl_with_an_older_version_is_told_why_it_is_refused(
    version: str,
    options: list[str],
    alert: str,
    served: Served,
    material: Material,
    require_tool: Callable[[str], str],
) -> None:
    there = f"127.0.0.1:{served.port}"
    code, text = client(
        require_tool,
        material,
        "openssl",
        "s_client",
        "-connect",
        there,
        version,
        "-cipher",
        "ALL:@SECLEVEL=0",
        *options,
    )
    assert code == 1
    assert f"alert {alert}" in text.replace("tlsv1 alert", "alert")
