"""HTTPS client and server with each other, and with peers that break off or talk nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl import http as https
from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.http import HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.tls import (
    AlertDescription,
    AlertLevel,
    ClientConnection,
    CloseNotifyReceived,
    HandshakeCompleted,
    ServerConnection,
)
from tests.impl.tls_material import NAME, client_config, connected, server_config


def echo(request: Request) -> Response:
    """Says what it was asked."""
    return Response(200, (("X-Method", request.method),), request.target.encode() + b"|" + request.body)


def make(handler: Callable[[Request], Response] = echo) -> tuple[HttpsClient, HttpsServer]:
    """A started client and a server."""
    client = HttpsClient(ClientConnection(client_config()), NAME)
    server = HttpsServer(ServerConnection(server_config()), handler)
    client.start()
    return client, server


def pump(client: Any, server: Any) -> tuple[list[Any], list[Any]]:
    """Carries bytes until both are quiet: the client's events and the server's."""
    to_client: list[Any] = []
    to_server: list[Any] = []
    for _ in range(40):
        up, down = client.data_to_send(), server.data_to_send()
        if not up and not down:
            return to_client, to_server
        to_server += server.receive_data(up) if up else []
        to_client += client.receive_data(down) if down else []
    raise AssertionError("the connections do not come to rest")


def responses(events: list[Any]) -> list[Response]:
    """The responses among the events."""
    return [event for event in events if isinstance(event, Response)]


def client_with_raw_server() -> tuple[HttpsClient, ServerConnection]:
    """An HTTPS client after the handshake, its request sent, with a bare TLS server."""
    tls, server = connected()
    client = HttpsClient(tls, NAME)
    client.request("GET", "/x")
    server.receive_data(client.data_to_send())
    return client, server


def server_with_raw_client(handler: Callable[[Request], Response] = echo) -> tuple[HttpsServer, ClientConnection]:
    """An HTTPS server after the handshake, with a bare TLS client."""
    client, tls = connected()
    return HttpsServer(tls, handler), client


def test_a_request_made_before_the_handshake_waits_for_it() -> None:
    client, server = make()
    client.request("GET", "/index.html", [("Accept", "*/*")])
    to_client, to_server = pump(client, server)
    [request] = [event for event in to_server if isinstance(event, Request)]
    assert request == Request("GET", "/index.html", (("host", NAME), ("accept", "*/*")))
    [response] = responses(to_client)
    assert response.status == 200
    assert response.body == b"/index.html|"
    assert ("x-method", "GET") in response.headers
    assert any(isinstance(event, HandshakeCompleted) for event in to_client)
    assert client.is_open
    assert server.is_open


def test_keep_alive_serves_several_requests_and_close_ends_it() -> None:
    client, server = make()
    for number in range(3):
        client.request("POST", f"/{number}", body=b"b" * number)
        [response] = responses(pump(client, server)[0])
        assert response.body == f"/{number}|".encode() + b"b" * number
    client.close()
    to_client, to_server = pump(client, server)
    assert to_client == to_server == [CloseNotifyReceived()]
    assert client.receive_eof() == server.receive_eof() == []
    assert not client.is_open


def test_connection_close_of_the_client_closes_after_the_response() -> None:
    client, server = make()
    client.request("GET", "/", [("Connection", "close")])
    to_client, _ = pump(client, server)
    assert len(responses(to_client)) == 1
    assert not client.is_open
    assert not server.is_open
    with pytest.raises(LocalProtocolError, match="open a new one"):
        client.request("GET")


def test_connection_close_of_the_server_closes_after_the_response() -> None:
    client, server = make(lambda _: Response(200, (("Connection", "close"),), b"bye"))
    client.request("GET")
    to_client, _ = pump(client, server)
    assert [response.body for response in responses(to_client)] == [b"bye"]
    assert not client.is_open
    assert not server.is_open


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_responses_without_a_body(method: str, status: int) -> None:
    client, server = make(lambda _: Response(status, (), b"never sent"))
    client.request(method)
    [response] = responses(pump(client, server)[0])
    assert response.status == status
    assert response.body == b""
    client.request("HEAD")
    assert len(responses(pump(client, server)[0])) == 1


def test_long_bodies_both_ways() -> None:
    client, server = make()
    body = bytes(range(256)) * 300
    client.request("PUT", "/long", body=body)
    [response] = responses(pump(client, server)[0])
    assert response.body == b"/long|" + body


def test_pipelined_requests_are_answered_in_order() -> None:
    server, client = server_with_raw_client()
    client.send_application_data(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(3)))
    events = server.receive_data(client.data_to_send())
    assert [event.target for event in events if isinstance(event, Request)] == ["/0", "/1", "/2"]
    text = b"".join(event.data for event in client.receive_data(server.data_to_send()))  # type: ignore[attr-defined]
    assert text.index(b"/0|") < text.index(b"/1|") < text.index(b"/2|")


def test_expect_100_continue_is_answered() -> None:
    server, client = server_with_raw_client()
    client.send_application_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    server.receive_data(client.data_to_send())
    [event] = client.receive_data(server.data_to_send())
    assert event.data.startswith(b"HTTP/1.1 100")  # type: ignore[attr-defined]
    client.send_application_data(b"ok")
    assert len(server.receive_data(client.data_to_send())) == 1


def test_a_second_request_while_one_is_outstanding_is_a_local_error() -> None:
    client, _ = make()
    client.request("GET")
    with pytest.raises(LocalProtocolError, match="outstanding"):
        client.request("GET")


def test_an_invalid_request_or_response_is_a_local_error() -> None:
    client, server = make()
    pump(client, server)
    with pytest.raises(LocalProtocolError, match="not a valid request"):
        client.request("GET", "/", [("bad name", "x")])
    client.request("GET")
    server.handler = lambda _: Response(99)
    with pytest.raises(LocalProtocolError, match="not a valid response"):
        server.receive_data(client.data_to_send())


def test_a_response_ended_by_close_notify_is_complete_where_it_says_no_length() -> None:
    client, server = client_with_raw_server()
    server.send_application_data(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    server.close()
    [response] = responses(client.receive_data(server.data_to_send()))
    assert response.body == b"until the end"


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"]
)
@pytest.mark.parametrize("ending", ["close_notify", "eof", "alert"])
def test_a_response_broken_off_is_an_error(sent: bytes, ending: str) -> None:
    client, server = client_with_raw_server()
    if sent:
        server.send_application_data(sent)
        assert client.receive_data(server.data_to_send()) == []
    if ending == "close_notify":
        server.close()
    elif ending == "alert":
        server.send_alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)
    last = server.data_to_send()
    with pytest.raises(RemoteProtocolError) as caught:
        _ = client.receive_data(last) if last else client.receive_eof()
    assert caught.value.alert is None
    assert not client.is_open


def test_a_response_without_length_is_not_complete_at_the_end_of_the_transport() -> None:
    client, server = client_with_raw_server()
    server.send_application_data(b"HTTP/1.1 200 OK\r\n\r\npossibly cut off")
    client.receive_data(server.data_to_send())
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_eof()
    assert caught.value.clause == "RFC 5246 section 7.2.1"
    assert caught.value.events == ()


def test_a_complete_response_before_a_tls_fault_is_not_lost() -> None:
    client, server = client_with_raw_server()
    server.send_application_data(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    good = server.data_to_send()
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_data(good + good)
    assert caught.value.alert is AlertDescription.BAD_RECORD_MAC
    assert [event.body for event in caught.value.events if isinstance(event, Response)] == [b"ok"]


def test_nonsense_from_a_server_is_a_remote_error_and_closes_in_good_order() -> None:
    client, server = client_with_raw_server()
    server.send_application_data(b"this is no HTTP\r\n\r\n")
    with pytest.raises(RemoteProtocolError, match="well-formed") as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.alert is None
    assert server.receive_data(client.data_to_send()) == [CloseNotifyReceived()]


def test_nonsense_from_a_client_gets_an_error_response() -> None:
    server, client = server_with_raw_client()
    client.send_application_data(b"GET / HTTP/1.1\r\n\r\n")  # no Host
    with pytest.raises(RemoteProtocolError):
        server.receive_data(client.data_to_send())
    events = client.receive_data(server.data_to_send())
    assert events[0].data.startswith(b"HTTP/1.1 400")  # type: ignore[attr-defined]
    assert events[-1] == CloseNotifyReceived()


def test_a_request_broken_off_is_an_error() -> None:
    server, client = server_with_raw_client()
    client.send_application_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
    client.close()
    with pytest.raises(RemoteProtocolError):
        server.receive_data(client.data_to_send())


def test_a_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "MAX_BODY_LENGTH", 100)
    client, server = client_with_raw_server()
    server.send_application_data(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + bytes(101))
    with pytest.raises(RemoteProtocolError, match="at most 100 bytes"):
        client.receive_data(server.data_to_send())
    assert not client.tls.is_connected


def test_a_head_is_bounded() -> None:
    client, server = client_with_raw_server()
    server.send_application_data(b"HTTP/1.1 200 OK\r\nX: " + b"x" * https.MAX_HEAD_LENGTH * 2)
    with pytest.raises(RemoteProtocolError):
        client.receive_data(server.data_to_send())


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.binary(max_size=60) | st.sampled_from((b"HTTP/1.1 200 OK\r\n", b"\r\n", b"Content-Length: 3\r\n"))),
    st.booleans(),
)
def test_any_bytes_in_application_data_are_a_message_or_a_remote_error(chunks: list[bytes], to_client: bool) -> None:
    target: HttpsClient | HttpsServer
    target, raw = client_with_raw_server() if to_client else server_with_raw_client()
    try:
        for chunk in chunks:
            raw.send_application_data(chunk)
            target.receive_data(raw.data_to_send())
        raw.close()
        target.receive_data(raw.data_to_send())
    except RemoteProtocolError as error:
        caught = error
    else:
        return
    assert caught.alert is None
    assert not target.tls.is_connected


@pytest.mark.parametrize("by_server", [False, True])
def test_requests_and_responses_go_on_through_a_renegotiation(by_server: bool) -> None:
    changes = {"renegotiation": "allow"}
    tls = ClientConnection(client_config(**changes)), ServerConnection(server_config(**changes))
    client = HttpsClient(tls[0], NAME)
    server = HttpsServer(tls[1], lambda request: Response(200, (), request.target.encode()))
    client.start()
    client.request("GET", "/0")
    bodies: list[bytes] = []
    for number in range(1, 4):
        for _ in range(20):
            server.receive_data(client.data_to_send())
            events = client.receive_data(server.data_to_send())
            bodies += [event.body for event in events if isinstance(event, Response)]
        tls[by_server].renegotiate()
        if by_server:
            client.receive_data(server.data_to_send())
        client.request("GET", f"/{number}")
    assert bodies == [b"/0", b"/1", b"/2"]
    assert tls[0].renegotiations == tls[1].renegotiations == 2
