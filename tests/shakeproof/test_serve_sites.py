"""serve and fetch with several names, client certificates, resumption and renegotiation."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shakeproof.cli import main
from shakeproof.commands import serve
from shakeproof.impl.http import HttpsClient, Response
from shakeproof.impl.tls import (
    AlertDescription,
    AlertReceived,
    ClientConfig,
    ClientConnection,
    Event,
    HandshakeCompleted,
    ServerConfig,
    SessionCache,
    TicketKeys,
)
from shakeproof.impl.x509 import verifier_for_tls
from shakeproof.material import factory_credentials, server_validator
from shakeproof.properties.mapper.certificates import anchors
from shakeproof.sites import ServerOptions, make_site, parse_site, server_config
from tests.shakeproof.sockets import (
    NAMES,
    Serving,
    anchors_file,
    client_context,
    credential_for,
    foreign_server,
    made_by_itself,
    pem_file,
    read_all,
    read_head,
)

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
CLIENT = "a <client>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files: the CAs, a client's certificate, one for a.test and one for b.test."""
    made = tmp_path_factory.mktemp("pem")
    anchors_file(made)
    pem_file(made, credential_for(CLIENT, client=True), "client.pem")
    pem_file(made, credential_for("server", names=("a.test",)), "no-client.pem")
    for name in ("a.test", "b.test"):
        pem_file(made, credential_for(name, names=(name,)), f"{name}.pem")
    return made


def config(*sites: str, default: str = "default.test", **options: Any) -> ServerConfig:
    """As `serve` makes it of --site."""
    made = {}
    base = make_site(
        parse_site(default)[1], fallback=lambda: factory_credentials(NAMES), protocols=("http/1.1",), rogue=None
    )
    for text in sites:
        name, given = parse_site(text)
        made[name] = make_site(given, fallback=lambda: base.credentials, protocols=base.alpn, rogue=None)
    return server_config(base, made, ServerOptions(**options))


@pytest.fixture(scope="module")
def serving(folder: Path) -> Iterator[Serving]:
    with Serving(
        config(
            f"a.test,cert={folder}/a.test.pem,alpn=one,alpn=http/1.1",
            f"b.test,cert={folder}/b.test.pem,client-ca={folder}/ca.pem",
            f"c.test,client-ca={folder}/ca.pem,client-auth=request",
        )
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "target", "host", "status"),
    [
        ("a.test", "/", "b.test", 421),
        ("a.test", "/", "B.TEST.:8443", 421),
        ("a.test", "https://b.test/", "a.test", 421),
        ("a.test", "https://a.test/", "b.test", 200),
        ("a.test", "/", "c.test", 421),
        ("localhost", "/", "b.test", 421),
        ("a.test", "/", "A.test:8443", 200),
        ("a.test", "/", "elsewhere.test", 200),
        ("localhost", "/", "[::1]:8443", 200),
    ],
)
def test_request_for_another_site_is_misdirected(
    name: str, target: str, host: str, status: int, serving: Serving
) -> None:
    with serving.tls(name, anonymous()) as tls:
        tls.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert read_all(tls).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(("name", "host", "status"), [("a.test", "localhost", 421), ("a.test", "a.test", 200)])
def test_default_site_that_requires_a_certificate_is_not_reached_through_another(
    name: str, host: str, status: int, folder: Path
) -> None:
    with (
        Serving(config(f"a.test,cert={folder}/a.test.pem", default=f"x.test,client-ca={folder}/ca.pem")) as serving,
        serving.tls(name, anonymous()) as tls,
    ):
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert read_all(tls).startswith(f"HTTP/1.1 {status} ".encode())


def subject(tls: ssl.SSLSocket) -> str:
    found = tls.getpeercert()
    assert found is not None
    return str(dict(item[0] for item in found["subject"])["commonName"])  # type: ignore[misc]


def anonymous() -> ssl.SSLContext:
    """A client that does not compare names."""
    return client_context(check_hostname=False)


def with_certificate(folder: Path, file: str = "client.pem") -> ssl.SSLContext:
    context = anonymous()
    context.load_cert_chain(folder / file)
    return context


def page(serving: Serving, name: str, context: ssl.SSLContext) -> str:
    with serving.tls(name, context) as tls:
        tls.sendall(REQUEST)
        return read_all(tls).decode()


def test_each_name_has_its_certificate_and_protocols(serving: Serving) -> None:
    context = client_context()
    context.set_alpn_protocols(["one", "http/1.1"])
    with serving.tls("a.test", context) as tls:
        assert (subject(tls), tls.selected_alpn_protocol()) == ("a.test", "one")
    with serving.tls("localhost", context) as tls:
        assert (subject(tls), tls.selected_alpn_protocol()) == ("server.shakeproof.test", "http/1.1")


def test_site_requires_a_certificate_and_others_do_not(serving: Serving, folder: Path) -> None:
    shown = page(serving, "b.test", with_certificate(folder))
    assert "client certificate<td>CN=a" in shown
    assert "<client" not in shown
    assert "client certificate" not in page(serving, "a.test", with_certificate(folder))
    with pytest.raises(ssl.SSLError, match="handshake failure"):
        page(serving, "b.test", anonymous())


def test_site_requests_a_certificate_and_goes_on_without(serving: Serving, folder: Path) -> None:
    assert "client certificate" not in page(serving, "c.test", anonymous())
    assert "client certificate" in page(serving, "c.test", with_certificate(folder))


def test_certificate_of_a_server_is_no_certificate_of_a_client(serving: Serving, folder: Path) -> None:
    with pytest.raises(ssl.SSLError, match="unsupported certificate"):
        page(serving, "b.test", with_certificate(folder, "no-client.pem"))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("no-client.pem", "alert unsupported_certificate: the client's certificate is not trusted in "),
        ("", "alert handshake_failure: got an empty list in "),
    ],
)
def test_refused_client_is_reported_with_the_reason(folder: Path, file: str, said: str) -> None:
    with Serving(config(f"b.test,client-ca={folder}/ca.pem")) as serving:
        with pytest.raises(ssl.SSLError, match="alert"):
            page(serving, "b.test", with_certificate(folder, file) if file else anonymous())
        line = serving.account().line
    assert f"{said}WAIT_CERTIFICATE" in line
    assert not file or "extendedKeyUsage of server does not hold" in line


def fetch(serving: Serving | int, folder: Path, name: str, *arguments: str) -> int:
    port = serving if isinstance(serving, int) else serving.port
    return main(["fetch", f"https://127.0.0.1:{port}/", "--name", name, "--ca", str(folder / "ca.pem"), *arguments])


def test_fetch_with_a_certificate(serving: Serving, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert fetch(serving, folder, "b.test", "--cert", str(folder / "client.pem"), "--trace") == 0
    captured = capfd.readouterr()
    assert "client certificate<td>CN=a" in captured.out
    assert "<client>" not in captured.out
    assert "CertificateVerify" in captured.err


def test_fetch_without_a_certificate_where_one_is_required(
    serving: Serving, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetch(serving, folder, "b.test") == 1
    said = capfd.readouterr().err
    assert "the server refused with the alert handshake_failure in WAIT_CHANGE_CIPHER_SPEC: " in said
    assert "the server asked for a client certificate (CAs: CN=root RSA,O=" in said
    assert "; CN=root ECDSA,O=" in said
    assert "); we sent none, having none" in said


def test_fetch_with_a_certificate_that_is_refused_says_which(
    serving: Serving, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetch(serving, folder, "b.test", "--cert", str(folder / "no-client.pem")) == 1
    said = capfd.readouterr().err
    assert "the server refused with the alert unsupported_certificate in WAIT_CHANGE_CIPHER_SPEC: " in said
    assert "we sent CN=server, issued by CN=" in said


def test_fetch_with_a_certificate_of_a_foreign_ca_says_that_it_kept_it(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    anchor = anchors_file(tmp_path).read_text().split("-----END CERTIFICATE-----")[1] + "-----END CERTIFICATE-----"
    (tmp_path / "other.pem").write_text(anchor.lstrip())
    with Serving(config(f"b.test,cert={folder}/b.test.pem,client-ca={tmp_path}/other.pem")) as serving:
        assert fetch(serving, folder, "b.test", "--cert", str(folder / "client.pem")) == 1
    said = capfd.readouterr().err
    assert "(CAs: CN=root ECDSA,O=" in said
    assert "we sent none: CN=a \\<client\\> is not of one of these CAs but of CN=root RSA,O=" in said


def test_fetch_that_a_foreign_server_turns_away_says_what_it_asked_for(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def require(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED

    with foreign_server(folder, read_head, configure=require) as port:
        assert fetch(port, folder, "localhost") == 1
    said = capfd.readouterr().err
    assert "handshake_failure in WAIT_CHANGE_CIPHER_SPEC: the server asked for a client certificate (of any CA)" in said


def test_fetch_shows_its_certificate_to_a_foreign_server(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def require(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")

    def answer(tls: ssl.SSLSocket) -> None:
        seen.append(subject(tls))
        read_head(tls)
        tls.sendall(ANSWER)
        tls.unwrap()

    with foreign_server(folder, answer, configure=require) as port:
        assert fetch(port, folder, "localhost", "--cert", str(folder / "client.pem")) == 0
    assert seen == [CLIENT]
    assert capfd.readouterr().out == "hello\n"


# ---------------------------------------------------------------------------------------------------------- resumption


@pytest.mark.parametrize(("tickets", "session_ids"), [(True, False), (False, True)])
def test_fetch_resumes_the_session_of_its_file(
    tickets: bool, session_ids: bool, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "session.json"
    with Serving(config(tickets=tickets, session_ids=session_ids)) as serving:
        for resumed in ("no", "yes", "yes"):
            assert fetch(serving, folder, "localhost", "--session-file", str(file)) == 0
            assert f"<tr><th>resumed<td>{resumed}\n" in capfd.readouterr().out
        assert file.stat().st_mode & 0o077 == 0
        assert fetch(serving, folder, NAMES[0], "--session-file", str(file)) == 0
        assert "resumed<td>no" in capfd.readouterr().out, "accepted for another name"


def test_session_is_not_resumed_where_its_certificate_is_no_longer_trusted(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "session.json", tmp_path / "other.pem"
    other.write_bytes((folder / "a.test.pem").read_bytes())
    with Serving(config()) as serving:
        assert fetch(serving, folder, "localhost", "--session-file", str(file)) == 0
        url = f"https://127.0.0.1:{serving.port}/"
        assert main(["fetch", url, "--name", "localhost", "--ca", str(other), "--session-file", str(file)]) == 1
    assert "unknown_ca" in capfd.readouterr().err


def test_session_file_that_is_none_is_usage(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "session.json"
    with Serving(config()) as serving:
        assert fetch(serving, folder, "localhost", "--session-file", str(file)) == 0
        found = json.loads(file.read_text())
        for key, value in (("suite", "NONE"), ("created", "2026-01-01"), ("lifetime_s", "1"), ("master_secret", 1)):
            file.write_text(json.dumps({**found, "session": {**found["session"], key: value}}))
            assert fetch(serving, folder, "localhost", "--session-file", str(file)) == 2
            assert "no saved session" in capfd.readouterr().err


def test_python_resumes(folder: Path) -> None:
    with Serving(config()) as serving:
        context = client_context()
        with serving.tls("localhost", context) as tls:
            tls.sendall(REQUEST)
            read_all(tls)
            session = tls.session
        with context.wrap_socket(serving.connect(), server_hostname="localhost", session=session) as tls:
            assert tls.session_reused
            tls.sendall(REQUEST)
            assert b"resumed<td>yes" in read_all(tls)


def test_without_resumption_there_is_no_session(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Serving(config(tickets=False, session_ids=False)) as serving:
        assert fetch(serving, folder, "localhost", "--session-file", str(tmp_path / "session.json")) == 0
    assert "no session" in capfd.readouterr().err


# ------------------------------------------------------------------------------------------------------- renegotiation


@pytest.mark.parametrize(("policy", "handshakes"), [("allow", 2), ("refuse", 1)])
def test_request_after_a_renegotiation_is_answered(policy: str, handshakes: int) -> None:
    client = HttpsClient(ClientConnection(client_config(renegotiation="allow")), "localhost")
    with Serving(config(renegotiation=policy)) as serving:
        with serving.connect() as sock:
            client.start()
            exchange(sock, client, HandshakeCompleted)
            client.tls.renegotiate()
            exchange(sock, client, HandshakeCompleted if policy == "allow" else AlertReceived)
            client.request("GET", "/", [("Connection", "close")])
            exchange(sock, client, Response)
        account = serving.account()
    assert (account.handshakes, account.requests, account.fault) == (handshakes, 1, None)


def client_config(**changes: Any) -> ClientConfig:
    return ClientConfig(server_name="localhost", verify=verifier_for_tls(server_validator(anchors())), **changes)


def exchange(sock: socket.socket, client: HttpsClient, until: type[Event]) -> None:
    """Send and receive until that happens."""
    seen: list[Event] = []
    while not any(isinstance(event, until) for event in seen):
        sock.sendall(client.data_to_send())
        seen += client.receive_data(sock.recv(1 << 16))
    sock.sendall(client.data_to_send())


# ---------------------------------------------------------------------------------------------------------- the options


def test_options_become_the_configuration(folder: Path) -> None:
    plan = serve.Plan(
        listen="",
        cert=[folder / "a.test.pem"],
        key=[],
        write_ca=None,
        client_ca=folder / "ca.pem",
        client_auth="request",
        suites="TLS_RSA_WITH_AES_128_CBC_SHA",
        versions="1.2",
        alpn="",
        renegotiation="allow",
        tickets=True,
        session_ids=True,
        sites=[f"B.test,cert={folder}/b.test.pem"],
        rogue="early-ccs",
        key_log=None,
        max_fragment=100,
        max_connections=1,
        connections=None,
        time="",
        handshake="1s",
        idle="1s",
        verbose=False,
    )
    connect = serve.connector(plan)
    first, second = connect(), connect()
    made = first.config
    assert made is second.config, "sessions and tickets are the server's, not the connection's"
    assert isinstance(made.sessions, SessionCache)
    assert isinstance(made.ticket_keys, TicketKeys)
    assert (made.alpn, made.renegotiation, made.max_fragment, made.client_authentication) == (
        (),
        "allow",
        100,
        "request",
    )
    assert [suite.name for suite in made.suites] == ["TLS_RSA_WITH_AES_128_CBC_SHA"]
    assert len(made.client_authorities) == 2
    assert set(made.sites) == {"b.test"}
    assert made.sites["b.test"].client_authentication == "none"
    assert first.admit_change_cipher_spec.__qualname__ != type(first).admit_change_cipher_spec.__qualname__


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--site b.test,cert={a}", ["--site b.test: its RSA certificate is not for that name but for a.test"]),
        ("--site b.test --cert {a}", ["--site b.test: its RSA certificate is not for that name but for a.test"]),
        ("--cert {a} --client-ca {ca} --client-auth none", ["--client-ca {ca} is not used, as --client-auth is none"]),
        (
            "--site b.test,cert={b},client-ca={ca},client-auth=none",
            ["--site b.test: client-ca {ca} is not used, as client-auth is none"],
        ),
        ("--cert {weak}", ["{weak}: an RSA key of 1024 bits, where the web asks for at least 2048"]),
        ("--site odd.test,cert={odd}", ["--site odd.test: {odd}: a key on secp521r1, which our own client, "]),
        ("--site b.test,cert={b},client-ca={ca} --site A.test,cert={a} --site odd.test,cert={wild}", []),
    ],
)
def test_what_is_rarely_meant_is_warned_of(
    line: str, said: list[str], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = {
        "a": folder / "a.test.pem",
        "b": folder / "b.test.pem",
        "ca": folder / "ca.pem",
        "weak": made_by_itself(tmp_path / "weak.pem", rsa.generate_private_key(65537, 1024)),
        "odd": made_by_itself(tmp_path / "odd.pem", ec.generate_private_key(ec.SECP521R1()), "odd.test"),
        "wild": made_by_itself(tmp_path / "wild.pem", ec.generate_private_key(ec.SECP256R1()), "*.test"),
    }
    given = line.format(**files).split()
    assert main(["serve", "--listen", "127.0.0.1:0", "--time", "10ms", *given]) == 0
    found = [each for each in capfd.readouterr().err.splitlines() if "warning" in each]
    assert len(found) == len(said)
    for each, text in zip(found, said, strict=True):
        assert each.startswith(f"shakeproof: warning: {text.format(**files)}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--cert {a} --suites TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "none of the cipher suites is for those"),
        ("--cert {a} --key {ca}", "private key in PEM, found none"),
        ("--cert {ca} --key {a}", "not the key of the first certificate"),
        ("--cert {a} --write-ca x.pem", "takes the place of"),
        ("--cert {ca}", "a key in a file of its own has to be named too"),
        ("--site b.test,cert={b},client-auth=require", "--site b.test: client authentication"),
        ("--site b.test,cert={b},client-auth=require", "add client-ca=FILE"),
        ("--client-auth require", "name a --client-ca"),
        ("--suites nonsense", "TLS_RSA_WITH_AES_256_CBC_SHA."),
    ],
)
def test_what_does_not_fit_together_is_usage(
    line: str, said: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = line.format(a=folder / "a.test.pem", b=folder / "b.test.pem", ca=folder / "ca.pem")
    assert main(["serve", "--listen", "127.0.0.1:0", *given.split()]) == 2
    assert said in capfd.readouterr().err


def test_alert_for_a_protocol_that_is_not_served() -> None:
    context = client_context()
    context.set_alpn_protocols(["h2"])
    with Serving(config()) as serving:
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            serving.tls("localhost", context)
        fault = serving.account().fault
    assert fault is not None
    assert fault.alert is AlertDescription.NO_APPLICATION_PROTOCOL
