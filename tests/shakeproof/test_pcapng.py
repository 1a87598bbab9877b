"""Captures: as the format wants them, and as Wireshark reads them, decrypted, without any option."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.impl.tcp import BadChecksum, Flags
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Lane, Step, Trace, number_steps
from shakeproof.properties.conversation import Conversation
from shakeproof.properties.courses import first_course
from shakeproof.properties.findings import FindingConfirmed
from shakeproof.properties.suites import honest_prefixes
from shakeproof.properties.targets import find_target
from shakeproof.reports.folder import FolderReport
from shakeproof.reports.pcapng import MADE, MSS, capture, save_capture
from shakeproof.scenes import hostile_capture, hostile_trace, https_capture, https_trace
from tests.shakeproof.made_findings import LANES, made_finding
from tests.shakeproof.pcapng_files import Capture, parse

CLIENT, SERVER, MALLORY = Lane("c", "Client"), Lane("s", "Server", side="server"), Lane("m", "M", side="attacker")


@cache
def full() -> Trace:
    return https_capture("ecdhe")


@cache
def records_only() -> Trace:
    """The same exchange as an audit has it: records, and nothing of TCP."""
    steps = number_steps(replace(s, time_s=None) for s in full().steps if s.layer != "tcp")
    return replace(full(), steps=steps, meta={})


def record(sender: str, receiver: str, data: bytes, **fields: object) -> Step:
    step = Step(0, sender=sender, receiver=receiver, layer="tls12", message="Record", data=data)
    return replace(step, **fields)  # type: ignore[arg-type]


def made(*steps: Step, lanes: tuple[Lane, ...] = (CLIENT, SERVER), secrets: tuple[str, ...] = ()) -> Trace:
    return Trace("made by hand", lanes, number_steps(steps), secrets=secrets)


def sound(trace: Trace) -> Trace:
    """The trace without the segments whose checksum is wrong, which our reader does not take."""
    return replace(trace, steps=tuple(s for s in trace.steps if s.layer != "tcp" or s.fate is not Fate.REJECTED))


@cache
def cut_off() -> Trace:
    """An audit's conversation with our client, whose transport ends after the ServerHello."""
    role = ROLES["tls12.client"]
    target = find_target("shakeproof")
    setup = next(iter(target.setups(role.name)))
    conversation = Conversation(target, role, setup, b"seed", record=True)
    conversation.begin()
    ways = honest_prefixes(role, first_course(setup, role.name)).values()
    conversation.send(next(way for way in ways if way)[0])
    conversation.end()
    conversation.dispose()
    return conversation.trace("cut off")


def stream(found: Capture, port: int) -> bytes:
    """What went to the port, by sequence number; what is there already stays."""
    data: dict[int, int] = {}
    for packet in found.packets:
        if packet.segment.destination_port == port:
            for at, octet in enumerate(packet.segment.data, packet.segment.seq):
                data.setdefault(at, octet)
    return bytes(data[at] for at in sorted(data))


# ------------------------------------------------------------------------------------------------- traces that have TCP


def test_capture_has_each_segment_as_it_was_on_the_wire_at_its_time() -> None:
    found = parse(capture(full()))
    steps = [step for step in full().messages() if step.layer == "tcp"]
    assert len(found.packets) == len(steps)
    for packet, step in zip(found.packets, steps, strict=True):
        assert packet.segment.encode(packet.source, packet.destination) == step.data
        assert packet.ticks == round((step.time_s or 0) * 1e6)
    assert {packet.source for packet in found.packets} == set(full().meta["addresses"].values())


def test_capture_has_the_keys_and_says_what_it_is() -> None:
    found = parse(capture(full()))
    assert found.keys == "".join(f"{line}\n" for line in full().secrets)
    assert found.keys.startswith("CLIENT_RANDOM ")
    assert found.comment.startswith("HTTPS: the full interaction.")
    assert found.application.startswith("shakeproof ")


def test_comment_says_what_a_packet_is_what_it_carries_and_by_which_clause() -> None:
    comments = [packet.comment for packet in parse(capture(full())).packets]
    assert comments[0].startswith("step 1: Client sends SYN to Server (seq=0); Client is now SYN-SENT")
    assert comments[0].endswith("RFC 9293 §3.10.7.2")
    (get,) = [comment for comment in comments if "GET / HTTP/1.1" in comment]
    assert get.splitlines()[-1] == "RFC 5246 §10"
    assert any("Validate the certificate" in comment for comment in comments)


def steps_of(found: Capture) -> list[list[int]]:
    """The numbers of the steps that each packet's comment speaks of."""
    return [[int(number) for number in re.findall(r"^step (\d+): ", each.comment, re.M)] for each in found.packets]


def test_comments_of_a_packet_have_the_steps_in_their_order_and_none_is_left_out() -> None:
    for trace in (full(), records_only(), cut_off(), sound(hostile_capture())):
        numbers = steps_of(parse(capture(trace)))
        assert all(each == sorted(each) for each in numbers)
        assert sorted(itertools.chain(*numbers)) == [step.number for step in trace]


@pytest.mark.parametrize(("name", "picture"), [("full", https_trace), ("hostile", hostile_trace)])
def test_steps_of_a_drawn_capture_have_the_numbers_of_its_picture(
    name: str, picture: Callable[[], Trace], tmp_path: Path
) -> None:
    assert main(["draw", name, "-f", "pcapng", "-o", str(tmp_path)]) == 0
    data = (tmp_path / f"{name}.pcapng").read_bytes().decode(errors="replace")
    drawn = picture()
    lanes = {lane.name: lane for lane in drawn.lanes}
    for step in drawn.steps:
        sentence = replace(step, before={}, after={}).sentence(lanes).removesuffix(".")
        assert f"step {step.number}: {sentence}" in data
    assert f"step {len(drawn.steps) + 1}: " not in data
    assert "Steps have their numbers in the picture of the run" in data


def test_picture_of_another_run_is_refused() -> None:
    with pytest.raises(ValueError, match="of another run, which has its step 1"):
        capture(full(), hostile_trace())


def test_every_fate_is_in_a_comment_of_its_packet() -> None:
    trace = hostile_capture()
    with pytest.raises(BadChecksum):
        parse(capture(trace))  # the segment that was rejected for its checksum is there as it was
    found = parse(capture(sound(trace)))
    for fate in set(Fate) - {Fate.DELIVERED}:
        assert any(f": {fate.value}" in packet.comment for packet in found.packets), fate
    (late,) = [packet for packet in found.packets if ": late" in packet.comment]
    assert "sent at 0.640000 s, arrived at 0.695000 s" in late.comment
    assert found.comment.endswith("each packet is recorded as it was sent, lost and late ones too.")


def test_addresses_of_ipv6_make_packets_of_ipv6() -> None:
    addresses = {"c": "2001:db8:0:0:0:0:0:1", "s": "2001:db8:0:0:0:0:0:2"}
    trace = replace(made(record("c", "s", b"x")), meta={"addresses": addresses})
    found = parse(capture(trace))
    assert [(packet.source, packet.destination) for packet in found.packets[:2]] == [
        (addresses["c"], addresses["s"]),
        (addresses["s"], addresses["c"]),
    ]


def test_addresses_that_are_none_are_replaced_and_those_of_two_versions_refused() -> None:
    trace = made(record("c", "s", b"x"))
    assert parse(capture(replace(trace, meta={"addresses": {"c": "no address", "s": 7}}))).packets
    with pytest.raises(ValueError, match="IPv6"):
        capture(replace(trace, meta={"addresses": {"c": "::1", "s": "127.0.0.1"}}))


# ------------------------------------------------------------------------------------------ traces that have no TCP


def test_records_without_tcp_get_a_connection_around_them_that_says_so() -> None:
    found = parse(capture(records_only()))
    opening = [(packet.segment.flags, packet.comment) for packet in found.packets[:3]]
    assert opening == [(Flags.SYN, MADE), (Flags.SYN | Flags.ACK, MADE), (Flags.ACK, MADE)]
    assert all(len(packet.segment.data) <= MSS for packet in found.packets)
    sent = b"".join(step.data for step in records_only().messages() if step.sender == "client")
    assert stream(found, 443) == sent
    ticks = [packet.ticks for packet in found.packets]
    assert ticks == sorted(ticks)
    assert len(set(ticks)) > 5, "without times, messages are spaced out"


def test_message_longer_than_a_segment_is_cut_and_each_part_says_which_it_is() -> None:
    found = parse(capture(made(record("c", "s", bytes(3 * MSS + 1)))))
    parts = found.packets[3:]
    assert [len(packet.segment.data) for packet in parts] == [MSS, MSS, MSS, 1]
    assert [packet.comment.split(" of step")[0] for packet in parts[:3]] == [f"part {n} of 4" for n in (1, 2, 3)]
    assert parts[3].comment.startswith("step 1: Client sends Record to Server")


def test_lost_record_is_an_empty_segment_and_the_stream_is_what_arrived() -> None:
    found = parse(capture(made(record("c", "s", b"one", fate=Fate.LOST), record("c", "s", b"two"))))
    lost, arrived = found.packets[3:]
    assert (lost.segment.data, arrived.segment.data) == (b"", b"two")
    assert lost.comment.endswith(": lost.")
    assert stream(found, 443) == b"two"


def test_end_of_the_transport_is_a_fin_of_whoever_ended_it() -> None:
    found = parse(capture(cut_off()))
    *before, last = found.packets
    (server,) = {packet.source for packet in found.packets if packet.segment.source_port == 443}
    assert (last.source, last.segment.flags, last.segment.data) == (server, Flags.FIN | Flags.ACK, b"")
    assert "end of the transport" in last.comment
    assert not any(packet.segment.flags & Flags.FIN for packet in before)
    said = [packet.segment for packet in before if packet.source == server]
    assert last.segment.seq == (said[-1].seq + said[-1].length) % (1 << 32), "it ends behind what was sent"


HELLO_AND_DONE = bytes.fromhex("16 0303 0009 02000001ff 0e000000")


@pytest.mark.parametrize(
    ("data", "fields", "packets"),
    [
        (HELLO_AND_DONE, {}, 1),  # two messages of one record, whose bytes both steps have
        (bytes.fromhex("14 0303 0001 01"), {}, 2),  # ChangeCipherSpec twice is two records
        (b"sealed", {"protection": "K"}, 1),
        (b"sealed", {}, 2),
    ],
)
def test_bytes_that_two_steps_share_are_sent_once(data: bytes, fields: dict[str, object], packets: int) -> None:
    found = parse(capture(made(record("c", "s", data, **fields), record("c", "s", data, **fields))))
    assert len(found.packets) == 3 + packets
    assert "step 2: " in found.packets[-1].comment


def test_attacker_between_two_speaks_in_the_name_of_the_other_end() -> None:
    steps = (record("c", "s", b"hello"), record("m", "c", b"forged", fate=Fate.FORGED), record("c", "m", b"why"))
    found = parse(capture(made(*steps, lanes=(CLIENT, MALLORY, SERVER))))
    forged, answer = found.packets[-2:]
    assert forged.source == found.packets[1].source, "as if the server had sent it"
    assert (forged.segment.destination_port, answer.segment.destination_port) == (
        found.packets[0].segment.source_port,
        443,
    )
    assert stream(found, 443) == b"hellowhy"


def test_attacker_with_a_connection_to_each_end_has_two() -> None:
    steps = (record("c", "m", b"one"), record("m", "s", b"two"))
    found = parse(capture(made(*steps, lanes=(CLIENT, MALLORY, SERVER))))
    assert sum(packet.segment.flags == Flags.SYN for packet in found.packets) == 2


def test_what_a_peer_wrote_is_harmless_and_not_too_long() -> None:
    step = record("c", "s", b"x", detail="\x1b[2J\ud800" + "漢" * 40_000)
    (packet,) = parse(capture(made(step))).packets[3:]
    assert "\x1b" not in packet.comment
    assert 60_000 < len(packet.comment.encode()) <= 0xFFFF


def test_trace_without_bytes_is_refused(tmp_path: Path) -> None:
    trace = made(record("c", "s", b""))
    with pytest.raises(ValueError, match="no bytes"):
        capture(trace)
    assert not save_capture(trace, tmp_path / "x.pcapng")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------- where it is


def test_report_folder_has_the_capture_of_a_finding_that_has_bytes(tmp_path: Path) -> None:
    steps = number_steps([record("target", "tester", b"x")])
    report = FolderReport(tmp_path)
    report(FindingConfirmed(replace(made_finding(), trace=Trace("t", LANES, steps))))
    assert "abc123.pcapng" in report.files
    assert parse((tmp_path / "abc123.pcapng").read_bytes()).packets


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_draw_writes_captures_of_the_figures_that_are_runs(elsewhere: Path) -> None:
    assert main(["draw", "all", "-f", "pcapng", "-o", "out"]) == 0
    assert {path.name for path in (elsewhere / "out").iterdir()} == {"full.pcapng", "hostile.pcapng"}
    full().save(elsewhere / "run.json")
    assert main(["draw", "trace", "run.json", "-f", "pcapng"]) == 0
    assert (elsewhere / "trace-run.pcapng").read_bytes() == capture(full())


def test_draw_of_what_is_no_run_as_pcapng_is_refused(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "machine", "tcp", "-f", "pcapng"]) == 2
    assert "pcapng is for full, hostile, trace" in capsys.readouterr().err
    made(record("c", "s", b"")).save(elsewhere / "empty.json")
    assert main(["draw", "trace", "empty.json", "-f", "pcapng"]) == 2
    assert "no bytes" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------- Wireshark


FIELDS = ("_ws.col.Protocol", "_ws.col.Info", "http.request.uri", "http.response.code", "frame.comment")


def read_by_wireshark(tool: str, data: bytes) -> list[dict[str, str]]:
    """What tshark makes of the file, packet by packet, with no option that would help it."""
    command = [tool, "-r", "-", "-T", "fields", *(word for name in FIELDS for word in ("-e", name))]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in done.stdout.decode().splitlines()]


@pytest.mark.parametrize("suite", ["rsa", "ecdhe"])
def test_tshark_shows_handshake_decrypted_http_and_our_comments(require_tool: Callable[[str], str], suite: str) -> None:
    assert suite in ("rsa", "ecdhe")
    seen = read_by_wireshark(require_tool("tshark"), capture(https_capture("rsa" if suite == "rsa" else "ecdhe")))
    said = "\n".join(packet["_ws.col.Info"] for packet in seen)
    for message in ("[SYN]", "[SYN, ACK]", "Client Hello", "Server Hello", "Certificate", "Server Hello Done",
                    "Client Key Exchange, Change Cipher Spec, Finished", "Close Notify", "[FIN, ACK]"):  # fmt: skip
        assert message in said
    assert "Encrypted" not in said
    assert [packet["http.request.uri"] for packet in seen if packet["http.request.uri"]] == ["/"]
    assert [packet["http.response.code"] for packet in seen if packet["http.response.code"]] == ["200"]
    assert all(packet["frame.comment"].startswith("step ") for packet in seen)


def test_tshark_shows_where_the_transport_ended(require_tool: Callable[[str], str]) -> None:
    seen = read_by_wireshark(require_tool("tshark"), capture(cut_off()))
    assert "[FIN, ACK]" in seen[-1]["_ws.col.Info"]
    assert "end of the transport" in seen[-1]["frame.comment"]


def test_tshark_decrypts_records_in_tcp_that_was_made_around_them(require_tool: Callable[[str], str]) -> None:
    seen = read_by_wireshark(require_tool("tshark"), capture(records_only()))
    assert [packet["http.response.code"] for packet in seen if packet["http.response.code"]] == ["200"]
    assert "Finished" in "\n".join(packet["_ws.col.Info"] for packet in seen)


def test_tshark_reads_what_a_hostile_network_did(require_tool: Callable[[str], str]) -> None:
    seen = read_by_wireshark(require_tool("tshark"), capture(hostile_capture()))
    assert "200" in [packet["http.response.code"] for packet in seen], "the page that came late is decrypted"
    said = "\n".join(packet["_ws.col.Info"] for packet in seen)
    for what in ("Dup ACK", "Spurious Retransmission", "Bad Record MAC", "[RST]"):
        assert what in said
    comments = "\n".join(packet["frame.comment"] for packet in seen)
    assert all(f": {fate.value}" in comments for fate in set(Fate) - {Fate.DELIVERED})
