"""Traces of any length that were really executed."""

from __future__ import annotations

from shakeproof.impl.http import Response
from shakeproof.model.trace import Trace
from shakeproof.properties.executed import Recorder
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.scenes import SUITES


def requests_run(count: int) -> Trace:
    """So many requests on one connection, with every segment: 26 messages, and 4 for each."""
    recorder = Recorder(SUITES["ecdhe"])
    stream = recorder.open()
    for number in range(count):
        known = len(stream.events)
        recorder.request(f"/{number}")
        recorder.until(lambda: any(isinstance(event, Response) for event in stream.events[known:]), "no response")  # noqa: B023  # called before the next
    recorder.client.https.close()
    recorder.finish()
    return recorder.trace(f"{count} requests")


def attacked_run() -> Trace:
    """Two connections with an attacker between, and records that pass him."""
    made = InteractionMachine("expired-certificate", record=True)
    made.configure(manner="plain", path="spliced", suite="TLS_RSA_WITH_AES_128_CBC_SHA")
    made.finish()
    return made.trace("An attacker between")
