"""Another implementation's records and messages, each with one flaw, against `shakeproof serve`.

For each fault: exactly the fatal alert that the RFC demands, then the end of the transport without reset, and the next
client is served.
"""

from __future__ import annotations

import select
import ssl

import pytest

from tests.interop import faults_client, faults_hello, faults_keys, faults_later, faults_order, faults_records
from tests.interop.faults import FAULTS, Fault
from tests.interop.material import NAME, PRIVATE_NAME, Material
from tests.interop.scripted import Script
from tests.interop.serving import Served, get_page, serving

LISTED = (faults_client, faults_hello, faults_keys, faults_later, faults_order, faults_records)
"""The modules that put their faults into the list."""


@pytest.fixture(scope="module", autouse=True)
def wallet(material: Material) -> None:
    """Gives the faults their certificates."""
    faults_client.WALLET.material = material


@pytest.mark.parametrize("merges", [False, True], ids=["alone", "merged"])
@pytest.mark.parametrize("flaw", FAULTS, ids=lambda flaw: flaw.name)
def test_fault_gets_its_alert_and_the_next_client_its_page(
    flaw: Fault, merges: bool, served: Served, renegotiating: Served, honest: ssl.SSLContext
) -> None:
    """merged: with what comes before it in one segment, such as Finished."""
    port = renegotiating.port if flaw.renegotiates else served.port
    with Script(port, flaw.suite, name=PRIVATE_NAME if flaw.private else NAME, merges=merges) as script:
        flaw.run(script)
        assert script.receive_alert() == (2, flaw.alert), flaw.clause
        script.receive_end()
    get_page(port, honest)


BLOCKS = [
    flaw
    for flaw in FAULTS
    if flaw.clause == faults_keys.BLOCK_CLAUSE and flaw.alert == "bad_record_mac" and not flaw.private
]


@pytest.mark.parametrize("flaw", BLOCKS, ids=lambda flaw: flaw.name)
def test_a_bad_block_is_not_answered_before_finished(flaw: Fault, served: Served, honest: ssl.SSLContext) -> None:
    """Both with and without what follows ClientKeyExchange, the server keeps still."""
    with Script(served.port, flaw.suite) as script:
        script.send_finished = lambda: None  # type: ignore[method-assign]
        flaw.run(script)
        get_page(served.port, honest)  # by now the server has seen what came before on the other connection
        assert is_silent(script)
        script.send_change_cipher_spec()
        get_page(served.port, honest)
        assert is_silent(script)
        script.send(script.finished())
        assert script.receive_alert() == (2, "bad_record_mac")
        script.receive_end()


def is_silent(script: Script) -> bool:
    """Whether nothing has come from the server, not even the end."""
    return not select.select([script.transport], [], [], 0)[0]


FOUND = {
    "early-ccs": "early_change_cipher_spec",
    "finished-unchecked": "wrong_finished",
    "mac-unchecked": "bad_mac_in_application_data",
    "padding-unchecked": "bad_padding_in_application_data",
}
"""A planted fault of the server, and a fault of the client that shows it."""


@pytest.mark.slow
@pytest.mark.parametrize(("rogue", "name"), FOUND.items())
def test_a_server_with_a_planted_fault_is_found_out(
    rogue: str, name: str, material: Material, honest: ssl.SSLContext
) -> None:
    [flaw] = [flaw for flaw in FAULTS if flaw.name == name]
    with serving(material, material.folder, "--rogue", rogue) as program, Script(program.port, flaw.suite) as script:
        flaw.run(script)
        get_page(program.port, honest)
        assert is_silent(script) or script.receive().alert is None
