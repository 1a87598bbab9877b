"""`shakeproof serve`: what it answers, how it ends, and that it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shakeproof.cli import main
from shakeproof.commands.serve import Log
from shakeproof.impl.tls import AlertDescription, ServerConnection
from shakeproof.page import DATA_MOST, pattern
from shakeproof.serving import HIGH_WATER, READ_LENGTH, Account, Limits
from tests.shakeproof.sockets import PATIENCE_S, Serving, client_context, read_all, server_config

GARBAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNEXPECTED_MESSAGE = bytes.fromhex("15 0303 0002 02 0a")
"""The record of that alert, in plaintext."""
AT_ONCE = 50


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as running:
        yield running


def https(serving: Serving) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("localhost", serving.port, timeout=PATIENCE_S, context=client_context())


def get(serving: Serving, target: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = https(serving)
    try:
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


# ----------------------------------------------------------------------------------------------------------- responses


def test_get_says_what_was_negotiated(serving: Serving) -> None:
    status, body, headers = get(serving, "/some/page")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]
    for text in ("GET /some/page", "TLS 1.2", "TLS_ECDHE_", "localhost", "x25519"):
        assert text in body.decode()


def test_page_escapes_what_the_peer_says(serving: Serving) -> None:
    _, body, _ = get(serving, "/<script>alert(1)</script>&\"'")
    assert b"<script" not in body
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in body


def test_head_has_no_body(serving: Serving) -> None:
    status, body, headers = get(serving, "/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_405_with_allow(serving: Serving, method: str) -> None:
    status, _, headers = get(serving, "/", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_bytes_of_any_length_come_whole(serving: Serving) -> None:
    for size in (0, 1, 16384, 16385, DATA_MOST):
        assert get(serving, f"/bytes/{size}")[1] == pattern(size)


@pytest.mark.parametrize("size", ["", "x", "-1", "1048577", "9" * 5000, "²"])
def test_bytes_of_no_length_are_404(serving: Serving, size: str) -> None:
    with serving.tls() as tls:
        tls.sendall(
            f"GET /bytes/{size.replace('²', '%C2%B2')} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        )
        assert read_all(tls).startswith(b"HTTP/1.1 404 ")


def test_connection_is_kept_alive(serving: Serving) -> None:
    connection = https(serving)
    for number in range(3):
        connection.request("GET", f"/{number}")
        assert f"GET /{number}" in connection.getresponse().read().decode()
    connection.close()


@pytest.mark.parametrize("request_line", [b"nonsense", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b", b"GET / HTTP/1.1"])
def test_bad_request_is_400_and_close_notify(serving: Serving, request_line: bytes) -> None:
    with serving.tls() as tls:
        tls.sendall(request_line + b"\r\n\r\n")
        assert read_all(tls).startswith(b"HTTP/1.1 400 ")  # an end without close_notify would raise


def test_pipelined_requests_are_answered_in_order(serving: Serving) -> None:
    targets = [f"/bytes/{size}" for size in (HIGH_WATER, 7, HIGH_WATER * 2, 0, 100_000, 3)]
    with serving.tls() as tls:
        tls.sendall(b"".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for target in targets))
        for target in targets:
            response = http.client.HTTPResponse(tls)
            response.begin()
            assert len(response.read()) == int(target.removeprefix("/bytes/"))


def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    request = f"GET /bytes/{DATA_MOST} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    asked = 0
    with Serving() as serving, serving.tls() as tls:
        tls.settimeout(0.3)
        with contextlib.suppress(TimeoutError):  # the server takes no more
            while True:
                asked += tls.send(request * 100) // len(request)
        held = serving.ask(lambda: serving.server.unsent)
        assert 0 < held < 2 * DATA_MOST
        assert asked > 1000
        tls.close()
        assert serving.account().requests < asked // 10


# ------------------------------------------------------------------------------------------------------ how it ends


def test_garbage_gets_the_exact_alert_and_no_reset(serving: Serving) -> None:
    with serving.connect() as sock:
        sock.sendall(GARBAGE + bytes(50 * READ_LENGTH))  # most of it is unread when the server has made up its mind
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == UNEXPECTED_MESSAGE


def test_garbage_of_a_peer_that_goes_on_sending_gets_the_alert_first(serving: Serving) -> None:
    with serving.connect() as sock:
        sock.sendall(GARBAGE)
        assert sock.recv(len(UNEXPECTED_MESSAGE)) == UNEXPECTED_MESSAGE
        sock.sendall(bytes(1000))
        assert sock.recv(1) == b""


def test_bad_record_gets_bad_record_mac_before_the_end() -> None:
    with Serving() as serving:
        tls = serving.tls()
        raw = socket.socket(fileno=tls.detach())  # the keys are gone: what is sent now can't be right
        raw.settimeout(PATIENCE_S)
        with raw:
            raw.sendall(bytes.fromhex("17 0303 0030") + bytes(48))
            answer = read_all(raw)
        assert answer[0] == 21, "one protected alert and nothing else"
        assert len(answer) == 5 + int.from_bytes(answer[3:5], "big")
        fault = serving.account().fault
        assert fault is not None
        assert fault.alert is AlertDescription.BAD_RECORD_MAC


def shake_hands(sock: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> bytes:
    """Everything up to the client's last flight, which is given back and not sent."""
    while True:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        flight = outgoing.read()
        if b"\x14\x03\x03\x00\x01\x01" in flight:
            return flight
        sock.sendall(flight)
        incoming.write(sock.recv(1 << 16))


@pytest.mark.parametrize("asks", [False, True], ids=["finished", "request"])
def test_fault_in_the_same_segment_as_what_is_right_gets_its_alert(serving: Serving, asks: bool) -> None:
    """What came before the fault in one read counts too: a handshake or a request that is whole."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving.connect() as sock:
        data = shake_hands(sock, tls, incoming, outgoing)
        if asks:
            sock.sendall(data)
            incoming.write(sock.recv(1 << 16))
            tls.do_handshake()
            tls.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            data = outgoing.read()
        sock.sendall(data + bytes.fromhex("17 0303 0030") + bytes(48))
        incoming.write(read_all(sock))
    if not asks:
        tls.do_handshake()
    with pytest.raises(ssl.SSLError, match="alert bad record mac"):
        tls.read()


def test_close_notify_is_answered_with_close_notify(serving: Serving) -> None:
    with serving.tls() as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert tls.recv(12) == b"HTTP/1.1 200"
        while tls.pending():
            tls.recv(1 << 14)
        raw = tls.unwrap()  # raises unless the answer is close_notify
        assert raw.recv(1) == b""
        raw.close()


def test_connection_close_ends_with_close_notify(serving: Serving) -> None:
    with serving.tls() as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(tls).endswith(b"</html>\n")


def test_hello_without_extensions_is_answered(serving: Serving) -> None:
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x04\x00\x2f\x00\x9c" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    with serving.connect() as sock:
        sock.sendall(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
        hello = sock.recv(6)
    assert (hello[0], hello[5]) == (22, 2)


def test_handshake_that_takes_too_long_is_cancelled() -> None:
    with Serving(limits=Limits(handshake_s=0.05)) as serving:
        with serving.connect() as sock:
            sock.sendall(b"\x16\x03\x01")
            cancelled = bytes.fromhex("15 0303 0002 01 5a  15 0303 0002 01 00")  # user_canceled, close_notify
            assert read_all(sock) == cancelled
        assert serving.account().note == "no handshake within 0.05 s"


def test_idle_connection_is_closed_in_good_order() -> None:
    with Serving(limits=Limits(idle_s=0.05)) as serving:
        with serving.tls() as tls:
            assert tls.recv(1) == b""
        assert "no request" in serving.account().note


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1", b"POST / HTTP/1.0", b"PRI * HTTP/2.0", b"OPTIONS * HTTP/1.1"])
def test_http_without_tls_is_reported_as_that(start: bytes) -> None:
    with Serving() as serving:
        with serving.connect() as sock:
            sock.sendall(start + b"\r\nHost: a\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == UNEXPECTED_MESSAGE
        line = serving.account().line
    assert "got what looks like HTTP, not TLS in WAIT_CLIENT_HELLO, expected a TLS record" in line


def test_peer_that_never_ends_is_left_behind() -> None:
    with Serving(limits=Limits(linger_s=0.05)) as serving, serving.connect() as sock:
        sock.sendall(GARBAGE)
        assert sock.recv(len(UNEXPECTED_MESSAGE)) == UNEXPECTED_MESSAGE
        assert serving.account().fault is not None  # while our end is still open


def test_peer_that_sends_for_ever_is_left_behind() -> None:
    with Serving(limits=Limits(linger_length=1000)) as serving, serving.connect() as sock:
        sock.sendall(GARBAGE)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            sock.sendall(bytes(1 << 26))


def test_an_error_of_ours_is_internal_error_and_the_server_goes_on() -> None:
    broken = [True, False]

    def connect() -> ServerConnection:
        connection = ServerConnection(server_config())
        if broken.pop(0):

            def fail(*_: object) -> None:
                raise KeyError("planted")

            setattr(connection, "receive_client_hello", fail)  # noqa: B010  on this object alone
        return connection

    with Serving(connect=connect) as serving:
        with pytest.raises(ssl.SSLError, match="internal error"):
            serving.tls()
        assert isinstance(serving.account().crash, KeyError)
        assert get(serving, "/")[0] == 200


# --------------------------------------------------------------------------------------------------------- many of them


def test_fifty_connections_at_once() -> None:
    with Serving() as serving, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(serving.tls()) for _ in range(AT_ONCE)]
        assert serving.ask(lambda: serving.server.open) == AT_ONCE
        for number, tls in enumerate(opened):
            tls.sendall(f"GET /{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        for number, tls in enumerate(opened):
            assert f"GET /{number}\n".encode() in read_all(tls)


def test_fifty_handshakes_at_once() -> None:
    with Serving() as serving, ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(lambda number: get(serving, f"/{number}")[0], range(AT_ONCE))) == [200] * AT_ONCE


def test_connections_above_the_limit_wait() -> None:
    with Serving(limits=Limits(connections=2)) as serving:
        first, second = serving.tls(), serving.tls()
        with serving.connect() as third:
            third.sendall(GARBAGE)
            third.settimeout(0.05)
            with pytest.raises(TimeoutError):
                third.recv(1)
            first.close()
            third.settimeout(PATIENCE_S)
            assert third.recv(1 << 14) == UNEXPECTED_MESSAGE
        second.close()


def test_goes_on_after_two_hundred_bad_connections() -> None:
    bad = [
        b"",
        GARBAGE,
        b"\x80\x2e\x01\x03\x01",
        bytes.fromhex("16 0301 ffff"),
        bytes.fromhex("16 0301 0004 01000000"),
        bytes.fromhex("15 0303 0002 02 28"),
        bytes.fromhex("14 0303 0001 01"),
        bytes.fromhex("17 0303 0001 00"),
    ]
    with Serving() as serving:
        for number in range(200):
            with serving.connect() as sock:
                sock.sendall(bad[number % len(bad)])
                if number % 3 == 0:  # closing now resets the connection, where an answer is under way
                    continue
                sock.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    read_all(sock)
        accounts = [serving.account() for _ in range(200)]
        assert not [account.crash for account in accounts if account.crash]
        assert all("\n" not in account.line for account in accounts)
        assert get(serving, "/")[0] == 200


class Tired(socket.socket):
    """A listener of a system that has no descriptor left, for a while."""

    refusals = 3

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


def test_goes_on_after_the_system_had_nothing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shakeproof.serving.ACCEPT_PAUSE_S", 0.01)
    running = Serving()
    running.listener = Tired(fileno=running.listener.detach())
    with running:
        assert get(running, "/")[0] == 200
        assert running.listener.refusals == 0


# ------------------------------------------------------------------------------------------------------- the command


class Command:
    """`shakeproof serve` as a process."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shakeproof", "serve", "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on https://127.0.0.1:"), self.process.communicate()
        self.port = int(line.rpartition(":")[2])

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        """Send a signal, if any; exit code and output."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_closes_in_good_order(number: signal.Signals, code: int, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    command = Command("--write-ca", str(ca), "-v")
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection(("127.0.0.1", command.port), PATIENCE_S) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        command.process.send_signal(number)
        assert tls.recv(1) == b"", "close_notify"
    ended, out, err = command.end()
    assert ended == code
    assert "closed: the server stops" in out
    assert "PUBLIC" in err
    assert "Traceback" not in err


def test_stops_after_that_many_connections(tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    ca = tmp_path / "ca.pem"
    command = Command("--connections", "2", "-v", "--key-log", str(log), "--write-ca", str(ca))
    with socket.create_connection(("127.0.0.1", command.port), PATIENCE_S) as sock:
        sock.sendall(b"\x1b[31m")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == UNEXPECTED_MESSAGE
    connection = http.client.HTTPSConnection(
        "localhost", command.port, timeout=PATIENCE_S, context=ssl.create_default_context(cafile=str(ca))
    )
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()
    code, out, _ = command.end()
    assert code == 0
    first, second = out.splitlines()
    assert "alert unexpected_message: got content type 27" in first
    assert "RFC 5246 section 6" in first
    assert "localhost · 1 request" in second
    assert log.read_text().startswith("CLIENT_RANDOM ")
    assert log.stat().st_mode & 0o077 == 0


def test_nobody_reads_its_output_and_it_goes_on() -> None:
    command = Command("-v", "--connections", "3")
    assert command.process.stdout is not None
    command.process.stdout.close()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", command.port), PATIENCE_S) as sock:
            sock.sendall(GARBAGE)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == UNEXPECTED_MESSAGE
    assert command.process.wait(PATIENCE_S) == 0
    assert command.process.stderr is not None
    command.process.stderr.close()


def test_error_of_ours_is_reported_once_and_ends_in_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = Log(verbose=False, planted=False)
    for number in (1, 2):
        log.report(Account(number, "127.0.0.1:1", crash=KeyError("a \x1b[31mbug")))
    loop = asyncio.new_event_loop()
    log.report_stray(loop, {"message": "something else"})
    loop.close()
    assert log.code == 4
    captured = capsys.readouterr()
    assert not captured.out
    assert "\x1b" not in captured.err
    assert captured.err.count("please report it") == 1
    assert "something else" in captured.err
    (saved,) = tmp_path.glob("shakeproof-error-*.txt")
    assert "KeyError" in saved.read_text()


def test_error_of_a_rogue_is_none_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(verbose=False, planted=True)
    log.report(Account(1, "127.0.0.1:1", crash=KeyError("planted")))
    assert log.code == 0
    assert "planted" in capsys.readouterr().err


def test_time_is_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "127.0.0.1:0", "--time", "20ms"]) == 0
    assert capsys.readouterr().out.startswith("listening on https://127.0.0.1:")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--listen nowhere", "expected HOST:PORT"),
        ("--listen 127.0.0.1:99999", "from 0 to 65535"),
        ("--listen ::1:1", "in []"),
        ("--rogue early-css", "Did you mean 'early-ccs'"),
        ("--rogue goto-fail", "shakeproof fetch"),
        ("--rogue in-window-reset", "shakeproof test --rogue in-window-reset"),
        ("--suites TLS_RSA_WITH_AES_128_CBC_SHAA", "Did you mean 'TLS_RSA_WITH_AES_128_CBC_SHA'"),
        ("--suites ,", "--suites is empty"),
        ("--versions 1.3", "TLS 1.2 is the only one"),
        ("--alpn h2", "only HTTP/1.1"),
        ("--renegotiation alow", "Did you mean 'allow'"),
        ("--client-auth reqire", "Did you mean 'require'"),
        ("--client-auth require", "--client-ca"),
        ("--cert missing.pem", "can't be read"),
        ("--cert pyproject.toml", "can't be read"),
        ("--key missing.pem", "each needs its own"),
        ("--site ,cert=x", "expected a host name"),
        ("--site a.test,crt=x", "Did you mean 'cert'"),
        ("--site a.test,cert", "has no value"),
        ("--site a.test --site A.test", "comes twice"),
        ("--max-fragment 0", "1 to 16384"),
        ("--time soon", "no time"),
        ("--key-log no/such/folder", "can't be written to"),
        ("--write-ca no/such/folder", "can't be written"),
    ],
)
def test_bad_input_is_usage(
    line: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listen = () if line.startswith("--listen") else ("--listen", "127.0.0.1:0")
    assert main(["serve", *listen, *line.split()]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert not captured.out


def test_address_in_use_is_usage(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", f"127.0.0.1:{serving.port}"]) == 2
    assert "in use" in capsys.readouterr().err


def test_account_says_what_became_of_a_connection() -> None:
    with Serving() as serving:
        with serving.tls() as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            read_all(tls)
        account = serving.account()
    assert (account.requests, account.handshakes, account.fault, account.crash) == (1, 1, None, None)
    assert account.line.endswith("localhost · 1 request · closed")
