"""A soak of our server: connections good, bad and cut off anywhere, and what they leave behind.

Run as a program, in a process of its own (`python -m tests.shakeproof.soak`): the heap of one that ran hundreds of
tests grows and shrinks for reasons of its own. Prints what was left as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import socket
import struct
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import NamedTuple

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import HttpsClient, Response
from shakeproof.impl.tls import ClientConfig, ClientConnection, Credential, ServerConnection, SessionCache, TicketKeys
from shakeproof.impl.tls.client import WAIT_NEW_SESSION_TICKET
from shakeproof.impl.tls.connection import WAIT_CHANGE_CIPHER_SPEC
from shakeproof.impl.tls.records import encode_record
from shakeproof.impl.tls.suites import DEFAULT_SUITES, TLS_1_2, CipherSuite, ContentType
from shakeproof.impl.x509 import verifier_for_tls
from shakeproof.material import client_validator, server_validator
from shakeproof.properties.mapper.certificates import anchors
from shakeproof.serving import Talk
from tests.shakeproof.sockets import Serving, credential_for, server_config

SEED = 20_260_601
ROUND = 200
WARM_UP, CONNECTIONS = 5 * ROUND, 10 * ROUND
AT_ONCE = 8
SESSIONS = 100
"""That a server keeps: the warm-up fills its cache."""
STREAM_LENGTH = 1200
"""About as many bytes as a client sends from ClientHello to close_notify."""
KINDS = ("good", "cut", "reset", "flip", "garbage", "silent", "merged")
"""merged: a record that nobody sealed follows Finished in the same segment."""

VERIFY = verifier_for_tls(server_validator(anchors()))
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for a close that resets."""


class Fate(NamedTuple):
    """What one connection does. at: the byte of its stream at which it is cut or changed."""

    kind: str
    at: int
    number: int
    suite: CipherSuite


def fates(count: int, seed: int) -> list[Fate]:
    rng = random.Random(seed)
    return [
        Fate(rng.choice(KINDS), rng.randrange(STREAM_LENGTH), rng.getrandbits(32), rng.choice(DEFAULT_SUITES))
        for _ in range(count)
    ]


def play(serving: Serving, fate: Fate, credential: Credential) -> str:
    """Make the connection; "good" where it got its page, else what it was."""
    rng = random.Random(fate.number)
    with serving.connect() as sock, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        if fate.kind == "silent":
            return fate.kind
        if fate.kind == "garbage":
            sock.sendall(rng.randbytes(fate.at))
            sock.shutdown(socket.SHUT_WR)
            drain(sock)
            return fate.kind
        config = ClientConfig(
            server_name="localhost",
            verify=VERIFY,
            entropy=rng.randbytes,
            suites=(fate.suite,),
            credentials=[credential] if fate.number % 2 else [],
        )
        return converse(sock, HttpsClient(ClientConnection(config), "localhost"), fate)
    return fate.kind


def converse(sock: socket.socket, client: HttpsClient, fate: Fate) -> str:
    """A GET, with the flaw of its fate in what is sent."""
    sent = 0
    client.start()
    client.request("GET", "/", headers=[("Connection", "close")])
    while client.is_open:
        data = client.data_to_send()
        if fate.kind == "merged" and client.tls.state in (WAIT_CHANGE_CIPHER_SPEC, WAIT_NEW_SESSION_TICKET):
            alien = random.Random(fate.number).randbytes(1 + fate.at)
            sock.sendall(data + encode_record(ContentType.APPLICATION_DATA, TLS_1_2, alien))
            sock.shutdown(socket.SHUT_WR)
            drain(sock)
            return fate.kind
        inside = fate.kind not in ("good", "merged") and sent + len(data) > fate.at
        if inside and fate.kind == "flip":
            place = fate.at - sent
            data = data[:place] + bytes([data[place] ^ 1 << fate.number % 8]) + data[place + 1 :]
        elif inside:
            data = data[: fate.at - sent]
        sock.sendall(data)
        sent += len(data)
        if inside:
            if fate.kind == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            else:
                sock.shutdown(socket.SHUT_WR)
                drain(sock)
            return fate.kind
        try:
            received = sock.recv(1 << 16)
            events = client.receive_data(received) if received else client.receive_eof()
        except RemoteProtocolError:
            return "bad"
        if any(isinstance(event, Response) and event.status == 200 for event in events):
            return "good"
    return "bad"


def drain(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


class Possessions(NamedTuple):
    """What a process holds; connections: objects of the server that are still alive."""

    connections: int
    memory: int
    tasks: int
    descriptors: int


def forget() -> None:
    """Empty every bounded cache: a flipped certificate is one more to keep, which is no leak."""
    for item in gc.get_objects():
        if isinstance(item, _lru_cache_wrapper):
            item.cache_clear()


def possessions(serving: Serving) -> Possessions:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = serving.ask(lambda: len(asyncio.all_tasks()))
    connections = sum(isinstance(item, ServerConnection | Talk) for item in gc.get_objects())
    return Possessions(connections, pages * os.sysconf("SC_PAGE_SIZE"), tasks, len(os.listdir("/proc/self/fd")))


def soak() -> dict[str, object]:
    """Serve a warm-up and the soak; what was left after each. AssertionError: a connection went wrong."""
    config = server_config(
        sessions=SessionCache(SESSIONS),
        ticket_keys=TicketKeys(),
        client_authentication="request",
        verify_client=verifier_for_tls(client_validator(anchors())),
    )
    credential = credential_for("client", client=True)
    seen: Counter[str] = Counter()
    with Serving(config) as serving, ThreadPoolExecutor(AT_ONCE) as pool:

        def run(count: int, seed: int) -> Possessions:
            wanted = fates(count, seed)
            for start in range(0, count, ROUND):
                some = wanted[start : start + ROUND]
                for fate, end in zip(some, pool.map(lambda one: play(serving, one, credential), some), strict=True):
                    seen[end] += 1
                    assert (fate.kind == "good") <= (end == "good"), fate
                accounts = [serving.account() for _ in some]
                assert [account.line for account in accounts if account.crash is not None] == []
                forget()
            return possessions(serving)

        before = run(WARM_UP, SEED)
        after = run(CONNECTIONS, SEED + 1)
        still_open = serving.ask(lambda: serving.server.open)
        errors = [repr(error) for error in serving.errors]
    return {
        "before": before._asdict(),
        "after": after._asdict(),
        "still open": still_open,
        "errors": errors,
        "ends": {kind: seen[kind] for kind in KINDS},
    }


if __name__ == "__main__":
    print(json.dumps(soak()))
