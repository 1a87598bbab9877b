"""`shakeproof fetch`: what it takes, what it refuses and why, and what it leaves behind."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shakeproof import fetching, material
from shakeproof.cli import main
from shakeproof.exits import UsageError
from shakeproof.impl.tls import AlertDescription, AlertLevel, Credential, ServerConnection
from shakeproof.impl.x509.names import read_reference
from shakeproof.model.trace import Trace
from shakeproof.page import DATA_MOST, pattern
from shakeproof.properties.chain_audit import chain_of, today
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import SERVER_NAME, CertificateDefect
from shakeproof.properties.mapper.keys import KeyKind
from tests.shakeproof.sockets import (
    Serving,
    anchors_file,
    defective,
    foreign_server,
    made_by_itself,
    read_all,
    read_head,
    server_config,
)

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Odd: \x1b[31m\r\n\r\nhello\n"
ANSWER_TO_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\n"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as running:
        yield running


@pytest.fixture
def ca(tmp_path: Path) -> str:
    return str(anchors_file(tmp_path))


def fetch(*arguments: str) -> int:
    return main(["fetch", *arguments])


def answering(data: bytes, *, close_notify: bool = True) -> Callable[[ssl.SSLSocket], None]:
    """A server that sends these bytes and ends."""

    def answer(tls: ssl.SSLSocket) -> None:
        read_head(tls)
        tls.sendall(data)
        if close_notify:
            with contextlib.suppress(OSError):
                tls.unwrap()

    return answer


# -------------------------------------------------------------------------------------------------------- what it takes


def test_fetch_from_our_server(serving: Serving, ca: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert fetch(f"https://localhost:{serving.port}/bytes/{DATA_MOST}", "--ca", ca) == 0
    captured = capfdbinary.readouterr()
    assert captured.out == pattern(DATA_MOST), "binary, as it came"
    assert captured.err == b""


def test_fetch_from_a_foreign_server(tmp_path: Path, ca: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    heads: list[bytes] = []

    def answer(tls: ssl.SSLSocket) -> None:
        heads.append(read_head(tls))
        tls.sendall(ANSWER)
        tls.unwrap()

    with foreign_server(tmp_path, answer) as port:
        assert fetch(f"https://localhost:{port}/a b/ü?c=d#fragment", "--ca", ca, "--include") == 0
    head, _, body = capfdbinary.readouterr().out.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200\r\n")
    assert b"x-odd: \x1b[31m" in head
    assert body == b"hello\n"
    assert heads[0].startswith(b"GET /a%20b/%C3%BC?c=d HTTP/1.1\r\n")
    assert f"Host: localhost:{port}\r\n".encode() in heads[0]


def test_body_to_the_end_of_the_connection(tmp_path: Path, ca: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with foreign_server(tmp_path, answering(ANSWER_TO_THE_END)) as port:
        assert fetch(f"https://127.0.0.1:{port}/", "--ca", ca) == 0
    assert capfdbinary.readouterr().out == b"hello\n"


def test_name_and_address_other_than_the_url(serving: Serving, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    resolve = f"elsewhere.example:{serving.port}:127.0.0.1"
    url = f"https://elsewhere.example:{serving.port}/"
    assert fetch(url, "--ca", ca, "--resolve", resolve, "--name", SERVER_NAME) == 0
    assert f"<td>{SERVER_NAME}" in capfd.readouterr().out
    assert fetch(url, "--ca", ca, "--resolve", resolve) == 1
    assert "alert certificate_unknown" in capfd.readouterr().err


def test_suite_and_protocol_that_were_asked_for(serving: Serving, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"https://localhost:{serving.port}/"
    assert fetch(url, "--ca", ca, "--suites", "tls_rsa_with_aes_128_cbc_sha", "--alpn", "") == 0
    out = capfd.readouterr().out
    assert "<td>TLS_RSA_WITH_AES_128_CBC_SHA\n" in out
    assert "application protocol<td>(none)" in out


def test_output_file_and_odd_record_sizes(tmp_path: Path, ca: str) -> None:
    out = tmp_path / "body"
    with Serving(server_config(max_fragment=1)) as serving:
        url = f"https://localhost:{serving.port}/bytes/3000"
        assert fetch(url, "--ca", ca, "-o", str(out), "--max-fragment", "7") == 0
    assert out.read_bytes() == pattern(3000)


# ------------------------------------------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    ("defect", "alert", "clause"),
    [
        (CertificateDefect.EXPIRED, "certificate_expired", "RFC 5280 section 6.1.3 (a)(2)"),
        (CertificateDefect.WRONG_NAME, "certificate_unknown", "RFC 9525 section 6.3"),
        (CertificateDefect.UNTRUSTED, "unknown_ca", "RFC 5280 section 6.1.1 (d)"),
        (CertificateDefect.BAD_SIGNATURE, "bad_certificate", "RFC 5280 section 6.1.3 (a)(1)"),
        (CertificateDefect.PATHLEN_EXCEEDED, "certificate_unknown", "RFC 5280 section 6.1.4 (l)"),
        (CertificateDefect.NAME_EXCLUDED, "certificate_unknown", "RFC 5280 section 6.1.3 (c)"),
        (CertificateDefect.WRONG_PURPOSE, "unsupported_certificate", "RFC 5280 section 4.2.1.12"),
        (CertificateDefect.SELF_SIGNED_LEAF, "unknown_ca", "RFC 5280 section 6.1.1 (d)"),
    ],
)
def test_certificate_is_refused_with_its_alert_and_clause(
    defect: CertificateDefect, alert: str, clause: str, ca: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Serving(server_config(credentials=(defective(defect),))) as serving:
        assert fetch(f"https://127.0.0.1:{serving.port}/", "--name", SERVER_NAME, "--ca", ca) == 1
        (seen,) = serving.account().alerts
    assert (seen.level, seen.description) == (AlertLevel.FATAL, AlertDescription.from_label(alert))
    captured = capfd.readouterr()
    assert not captured.out
    assert f"the alert {alert} in WAIT_CERTIFICATE" in captured.err
    assert clause in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("defect", "rogue"),
    [
        (CertificateDefect.EXPIRED, "expired-certificate"),
        (CertificateDefect.ISSUER_EXPIRED, "expired-issuer"),
        (CertificateDefect.NOT_YET_VALID, "not-yet-valid-certificate"),
        (CertificateDefect.BAD_SIGNATURE, "certificate-signature-unchecked"),
        (CertificateDefect.ISSUER_NOT_CA, "basic-constraints-ignored"),
        (CertificateDefect.PATHLEN_EXCEEDED, "path-length-ignored"),
        (CertificateDefect.WRONG_PURPOSE, "purpose-ignored"),
        (CertificateDefect.NAME_EXCLUDED, "constraints-ignored"),
        (CertificateDefect.UNKNOWN_CRITICAL, "critical-ignored"),
        (CertificateDefect.NO_SAN, "common-name-fallback"),
        (CertificateDefect.WRONG_NAME, "wrong-name"),
    ],
)
def test_rogue_takes_what_is_to_be_refused(
    defect: CertificateDefect, rogue: str, ca: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Serving(server_config(credentials=(defective(defect),))) as serving:
        url = f"https://127.0.0.1:{serving.port}/"
        assert fetch(url, "--name", SERVER_NAME, "--ca", ca, "--rogue", rogue) == 0
    assert "It holds." in capfd.readouterr().out


def test_what_binds_the_ca_is_looked_at_where_it_is_asked_for(ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    odd = chain_of(("critical-key-id@0",), 1, "", 0, "rsa", False, today())
    with Serving(server_config(credentials=(Credential(odd.der, odd.private_key),))) as serving:
        known = (f"https://127.0.0.1:{serving.port}/", "--name", SERVER_NAME, "--ca", ca)
        assert fetch(*known) == 0
        assert fetch(*known, "--profile") == 1
    assert "RFC 5280 section 4.2.1.1" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("kind", "options", "code"), [("ecdsa", ["--profile"], 0), ("rsa", ["--profile"], 1), ("ecdsa", [], 1)]
)
def test_fault_of_the_strict_mode_shows_in_that_mode_alone(
    kind: KeyKind, options: list[str], code: int, ca: str
) -> None:
    chain = certificates.chain(kind, frozenset({CertificateDefect.ISSUER_NOT_CA}))
    with Serving(server_config(credentials=(Credential(chain.der, chain.private_key),))) as serving:
        known = (f"https://127.0.0.1:{serving.port}/", "--name", SERVER_NAME, "--ca", ca)
        assert fetch(*known, *options, "--rogue", "strictness-forgets-ca") == code


def test_planted_crash_is_no_error_of_ours(ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 14)
            sock.sendall(bytes.fromhex("14 0303 0001 01"))
            sock.recv(1 << 14)

    thread = threading.Thread(target=answer)
    thread.start()
    with listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert fetch(url, "--ca", ca, "--rogue", "unprepared-ccs-crash") == 1
        thread.join()
    said = capfd.readouterr().err
    assert "the planted fault unprepared-ccs-crash ended our client: AttributeError" in said
    assert "report" not in said


@pytest.mark.parametrize(
    ("data", "close_notify"),
    [
        (ANSWER_TO_THE_END, False),
        (ANSWER[:-3], False),
        (ANSWER[:-3], True),
        (ANSWER[:20], True),
        (b"", True),
        (b"", False),
    ],
)
def test_truncation_is_an_error(
    data: bytes, close_notify: bool, tmp_path: Path, ca: str, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "body"
    with foreign_server(tmp_path, answering(data, close_notify=close_notify)) as port:
        assert fetch(f"https://localhost:{port}/", "--ca", ca, "-o", str(out)) == 1
    captured = capfd.readouterr()
    assert "RFC" in captured.err
    assert not out.exists(), "a part is not written as if it were the whole"


def test_no_http_at_all_is_an_error(tmp_path: Path, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    with foreign_server(tmp_path, answering(b"SSH-2.0-\x1b[31m\r\n\r\n")) as port:
        assert fetch(f"https://localhost:{port}/", "--ca", ca) == 1
    err = capfd.readouterr().err
    assert "RFC 9112" in err
    assert "\x1b" not in err


def test_server_that_refuses_is_told_apart(tmp_path: Path, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    def only_ecdsa(context: ssl.SSLContext) -> None:
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")

    with foreign_server(tmp_path, read_head, configure=only_ecdsa) as port:
        assert fetch(f"https://localhost:{port}/", "--ca", ca, "--suites", "TLS_RSA_WITH_AES_128_CBC_SHA") == 1
    said = capfd.readouterr().err
    assert "the server refused with the alert handshake_failure in WAIT_SERVER_HELLO: to our ClientHello, which" in said
    assert "offered TLS 1.2, TLS_RSA_WITH_AES_128_CBC_SHA and the protocols http/1.1, for the name 'localhost'" in said


@pytest.mark.parametrize("answer_of_http", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<!DOCTYPE HTML>\n<html></html>"])
def test_plaintext_server_is_refused_with_the_clause(
    answer_of_http: bytes, ca: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(answer_of_http)
                heard.append(read_all(sock))

        heard: list[bytes] = []
        thread = threading.Thread(target=answer)
        thread.start()
        assert fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", "--ca", ca) == 1
        thread.join()
    assert heard[0].endswith(bytes.fromhex("15 0303 0002 02 0a")), "and the alert reaches the server"
    err = capfd.readouterr().err
    assert "unexpected_message" in err
    assert "expected a TLS record, got what looks like HTTP, not TLS (RFC 5246 section 6)" in err


def test_nobody_there_is_exit_code_3(ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # not listening: refused
        port = closed.getsockname()[1]
        assert fetch(f"https://localhost:{port}/", "--ca", ca, "--resolve", f"localhost:{port}:127.0.0.1") == 3
    assert "could not connect to localhost" in capfd.readouterr().err


def test_silence_is_exit_code_3(ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", "--ca", ca, "--time", "50ms") == 3
    said = capfd.readouterr().err
    assert "could not connect" not in said, "it did"
    assert "it answered our ClientHello with nothing within 0.05 s (in WAIT_SERVER_HELLO)" in said


@pytest.mark.parametrize("how", ["wait", "reset"])
def test_handshake_that_is_left_half_done_is_exit_code_3(how: str, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    server = ServerConnection(server_config())
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        sock, _ = listener.accept()
        with sock:
            server.receive_data(sock.recv(1 << 14))
            flight = server.data_to_send()
            sock.sendall(flight[: 5 + int.from_bytes(flight[3:5], "big")])
            if how == "wait":
                with contextlib.suppress(OSError):
                    read_all(sock)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    thread = threading.Thread(target=answer)
    thread.start()
    with listener:
        assert fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", "--ca", ca, "--time", "1s") == 3
        thread.join()
    said = capfd.readouterr().err
    assert "shakeproof: connected to 127.0.0.1:" in said
    expected = "did not finish the handshake within 1 s" if how == "wait" else "the connection broke in the handshake"
    assert expected in said


def test_certificate_with_a_weak_key_is_shown_with_a_warning(
    serving: Serving, ca: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weak = made_by_itself(tmp_path / "weak.pem", rsa.generate_private_key(65537, 1024))
    assert fetch(f"https://localhost:{serving.port}/", "--ca", ca, "--cert", str(weak)) == 0
    assert f"warning: {weak}: an RSA key of 1024 bits" in capfd.readouterr().err


def test_silence_after_the_handshake_is_a_cut(tmp_path: Path, ca: str, capfd: pytest.CaptureFixture[str]) -> None:
    def wait(tls: ssl.SSLSocket) -> None:
        while tls.recv(1 << 14):
            pass

    with foreign_server(tmp_path, wait) as port:
        assert fetch(f"https://localhost:{port}/", "--ca", ca, "--time", "1s") == 1
    assert "cut off" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("localhost:8443", "write https://localhost:8443"),
        ("http://localhost/", "only https"),
        ("https:///", "no host name"),
        ("https://a..b/", "no host name"),
        ("https://user@localhost/", "a user in the URL"),
        ("https://localhost:99999/", "no URL"),
        ("https://localhost/ --ca missing.pem", "can't be read"),
        ("https://localhost/ --ca cut.pem", "cut.pem: the certificate at line 21 is malformed"),
        ("https://localhost/ --ca odd.pem", "odd.pem: the certificate at line 1 is malformed"),
        ("https://localhost/ --ca ca.pem --cert ca.pem --key cut.key", "the private key at line 2 is malformed"),
        ("https://localhost/ --ca none.pem", "expected certificates in PEM (-----BEGIN CERTIFICATE-----), found none"),
        ("https://localhost/ --resolve localhost", "HOST:PORT:ADDRESS"),
        ("https://localhost/ --resolve localhost:1:nowhere", "HOST:PORT:ADDRESS"),
        ("https://localhost/ --rogue goto-fial", "Did you mean 'goto-fail'"),
        ("https://localhost/ --rogue in-window-reset", "shakeproof test --rogue in-window-reset"),
        ("https://localhost/ --suites nothing", "no cipher suite"),
        ("https://localhost/ --key k.pem --ca ca.pem", "--key without --cert"),
        ("https://localhost/ --alpn h2 --ca ca.pem", "only HTTP/1.1"),
        ("https://localhost/ --time 0s", "out of range"),
        ("https://localhost/ -o no/such/folder", "can't be written to"),
        ("https://localhost/ --save no/such/folder", "can't be written to"),
        ("https://localhost/ --session-file ca.pem --ca ca.pem", "no saved session"),
    ],
)
def test_bad_input_is_usage(
    line: str,
    said: str,
    ca: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    first, mark, second = Path(ca).read_text().partition("-----END CERTIFICATE-----\n")
    Path("cut.pem").write_text(first + mark + second[: len(second) // 2])
    Path("cut.key").write_text("a key:\n-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n")
    Path("odd.pem").write_text(first[:100] + "!" + first[101:] + mark + second)
    Path("none.pem").write_text("nothing")
    assert fetch(*line.split()) == 2
    captured = capfd.readouterr()
    assert said in captured.err
    assert not captured.out


# ---------------------------------------------------------------------------------------------------- what it leaves


def test_trace_is_printed_and_saved(
    serving: Serving, ca: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saved, log = tmp_path / "trace.json", tmp_path / "keys.log"
    url = f"https://localhost:{serving.port}/bytes/500000"
    assert (
        fetch(url, "--ca", ca, "--trace", "--save", str(saved), "--key-log", str(log), "-o", str(tmp_path / "x")) == 0
    )
    captured = capfd.readouterr()
    assert not captured.out
    words = ("ClientHello", "Validate the certificate ✓", "ServerHelloDone", "Finished", "GET /bytes/500000 HTTP/1.1")
    for word in (*words, "HTTP/1.1 200", "more records of application data", "close_notify"):
        assert word in captured.err
    trace = Trace.load(saved)
    assert trace.origin == "executed"
    assert trace.secrets == (log.read_text().strip(),)
    assert [step.message for step in trace.messages()][:6] == [
        "ClientHello", "ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone", "ClientKeyExchange",
    ]  # fmt: skip
    assert all(step.data for step in trace.messages()), "each in a record of its own"
    main(["draw", "trace", str(saved), "-f", "txt"])
    assert "WAIT_FINISHED" in capfd.readouterr().out


def test_trace_of_a_refusal_ends_with_the_alert(ca: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "trace.json"
    with Serving(server_config(credentials=(defective(CertificateDefect.EXPIRED),))) as serving:
        url = f"https://127.0.0.1:{serving.port}/"
        assert fetch(url, "--name", SERVER_NAME, "--ca", ca, "--trace", "--save", str(saved)) == 1
    assert "✗" in capfd.readouterr().err
    *_, judged, refused, alert = Trace.load(saved).steps
    assert "expired on 2021-01-01" in " ".join(line.text for line in judged.lines)
    assert refused.title == "Refuse: certificate_expired"
    assert (alert.sender, alert.title) == ("client", "certificate_expired")


def test_system_anchors_are_named(
    serving: Serving, ca: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    assert fetch(f"https://localhost:{serving.port}/") == 0
    assert f"2 trust anchors of {ca}" in capfd.readouterr().err


def test_anchors_that_others_can_change_are_not_sound(ca: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    monkeypatch.setattr(material, "SYSTEM_ANCHORS", (str(tmp_path / "none.pem"),))
    assert material.system_anchors().path == ca
    Path(ca).chmod(0o666)
    with pytest.raises(UsageError, match="no trust anchors"):
        material.system_anchors()


def test_body_on_a_terminal_can_not_steer_it(serving: Serving, ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert fetch(f"https://localhost:{serving.port}/bytes/251", "--ca", ca) == 0
    shown = terminal.getvalue()
    assert "\\x1b" in shown
    assert not set(shown) & {chr(code) for code in range(32) if chr(code) not in "\n\t"}


LABELS = st.one_of(
    st.text(max_size=3), st.sampled_from(["xn--", "xn--a", "a", "b-", "_", "*", "@", "ß", "::1", "fe80::1%", "x" * 63])
)


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(LABELS, max_size=6).map(".".join), st.lists(LABELS, max_size=4).map("".join)))
@example("xn--99999999")
@example("[::1]")
@example("fe80::1%eth0")
@example("a b")
def test_name_that_is_taken_can_be_read_by_the_validator(text: str) -> None:
    try:
        name = fetching.ascii_name(text)
    except UsageError:
        return
    reference = read_reference(name)
    assert reference.host or reference.address, "else nothing matches it, and a validator that forgets to ask takes all"


def test_for_terminal_keeps_lines_and_tabs() -> None:
    assert fetching.for_terminal("a\tb\r\nü\n\x1b]0;x\x07\u202e".encode()) == "a\tb\nü\n\\x1b]0;x\\x07\\u202e"


def test_saved_session_is_a_secret_of_its_owner(tmp_path: Path, serving: Serving, ca: str) -> None:
    file = tmp_path / "session.json"
    fetch(f"https://localhost:{serving.port}/", "--ca", ca, "--session-file", str(file))
    if file.exists():
        assert file.stat().st_mode & 0o077 == 0
        assert json.loads(file.read_text())["name"] == "localhost"
