"""`shakeproof verify`: what it says of a chain, how it ends, and what it does with files that hold none."""

from __future__ import annotations

import base64
import json
import socket
import threading
from pathlib import Path

import pytest
from cryptography import x509

from shakeproof.chains import CERTIFICATE, parse_server, read_blocks
from shakeproof.cli import main
from shakeproof.exits import UsageError
from shakeproof.properties.mapper.certificates import CertificateDefect, anchors, anchors_pem, chain
from shakeproof.properties.mapper.keys import Owner, private_key_pem
from tests.impl.x509_cases import ca, crl, entry, leaf, root
from tests.shakeproof.sockets import Serving, anchors_file

AT = ("--at", "2026-06-01")


def pem(*ders: bytes, label: str = "CERTIFICATE") -> str:
    blocks = []
    for der in ders:
        text = base64.b64encode(der).decode()
        lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        blocks.append(f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    return "".join(blocks)


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def factory(folder: Path, *defects: CertificateDefect) -> list[str]:
    """The arguments for a chain of the factory."""
    made = chain("ecdsa", frozenset(defects))
    file = written(folder, "chain.pem", pem(*made.der))
    return [file, "--anchors", written(folder, "anchors.pem", anchors_pem()), "--name", made.name, *AT]


def verify(*arguments: str) -> int:
    return main(["verify", *arguments])


def test_a_sound_chain_ends_with_0_and_tells_every_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*factory(tmp_path)) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("VALID")
    assert "  2  root ECDSA" in out
    assert "✗" not in out


def test_a_defect_ends_with_1_and_names_certificate_and_clause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = (CertificateDefect.EXPIRED, CertificateDefect.ISSUER_NOT_CA)
    assert verify(*factory(tmp_path, *both)) == 1
    out = capsys.readouterr().out
    assert "✗ EXPIRED  certificate 0" in out
    assert "✗ ISSUER_NOT_CA  certificate 1" in out
    assert "RFC 5280 section 6.1.4 (k)" in out
    assert out.splitlines()[-1].startswith("NOT VALID   2 defects")


def test_json_stands_alone_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*factory(tmp_path, CertificateDefect.EXPIRED), "--json", "-") == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["schema"] == "shakeproof.verify/1"
    assert [(item["defect"], item["certificate_index"]) for item in document["defects"]] == [("EXPIRED", 0)]
    assert [item["sent"] for item in document["path"]] == [0, 1, None]
    failed = [step for step in document["trace"] if step["outcome"] == "failed"]
    assert [(step["check"], step["certificate_index"]) for step in failed] == [(5, 0)]
    assert "NOT VALID" in said.err


def test_json_goes_to_a_file_too(tmp_path: Path) -> None:
    assert verify(*factory(tmp_path), "--json", str(tmp_path / "verdict.json")) == 0
    assert json.loads((tmp_path / "verdict.json").read_text())["accepted"] is True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("hello\n", "found none"),
        (private_key_pem("ecdsa", Owner.LEAF), "found only PRIVATE KEY"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "without its -----END CERTIFICATE-----"),
        ("-----BEGIN CERTIFICATE-----\nM?IB\n-----END CERTIFICATE-----\n", "not base64"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "a block is empty"),
        ("0\x82\0\0\0", "found binary data"),
    ],
    ids=["empty", "text", "key", "cut off", "base64", "no content", "der"],
)
def test_a_file_without_a_certificate_is_a_usage_error(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = factory(tmp_path)
    arguments[0] = written(tmp_path, "odd.pem", text)
    assert verify(*arguments) == 2
    assert told in capsys.readouterr().err
    arguments = factory(tmp_path)
    arguments[2] = written(tmp_path, "odd.pem", text)
    assert verify(*arguments) == 2


def test_a_certificate_whose_der_is_malformed_is_a_defect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*factory(tmp_path, CertificateDefect.MALFORMED)) == 1
    assert "✗ MALFORMED  certificate 0" in capsys.readouterr().out


def test_a_trust_anchor_whose_der_is_malformed_is_a_usage_error(tmp_path: Path) -> None:
    arguments = factory(tmp_path)
    arguments[2] = written(tmp_path, "odd.pem", pem(anchors()[0], b"no certificate"))
    assert verify(*arguments) == 2


def test_what_stands_around_the_certificates_is_passed_over(tmp_path: Path) -> None:
    made = chain("ecdsa")
    text = f"subject: nobody\r\n{pem(made.der[0])}\n{private_key_pem('ecdsa', Owner.LEAF)}{pem(made.der[1])}"
    assert read_blocks(Path(written(tmp_path, "mixed.pem", text)), CERTIFICATE) == made.der


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--connect", "127.0.0.1:0"),
        ("--connect", "127.0.0.1:x"),
        ("--at", "yesterday"),
        ("--reading", "rfc5281"),
        ("--usage", "mail"),
        ("--key-exchange", "psk"),
        ("--name", "a..b"),
    ],
    ids=" ".join,
)
def test_options_that_mean_nothing_end_with_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = [] if not arguments or arguments[0] == "--connect" else factory(tmp_path)[:3]
    assert verify(*file, *arguments) == 2


def test_readings_and_options_reach_the_validator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top, middle, end = root(), ca(serial=55), leaf(serial=77)
    file = written(tmp_path, "chain.pem", pem(end.certificate(middle, ca=False), middle.certificate(top)))
    known = ["--anchors", written(tmp_path, "anchors.pem", pem(top.certificate())), "--name", "www.example.test", *AT]
    lists = written(tmp_path, "crls.pem", pem(crl(middle, entry(77)), crl(top), label="X509 CRL"))
    for options, code, told in [
        ((), 0, "VALID"),
        (("--crl", lists), 1, "REVOKED"),
        (("--require-status",), 1, "STATUS_UNKNOWN"),
        (("--policy", "1.2.3"), 1, "POLICY_VIOLATION"),
        (("--key-exchange", "rsa"), 1, "LEAF_KEY_USAGE"),
        (("--key-exchange", "ecdhe"), 0, "VALID"),
        (("--usage", "client"), 1, "WRONG_EKU"),
    ]:
        assert verify(file, *known, *options) == code, options
        assert told in capsys.readouterr().out


def test_what_binds_the_ca_depends_on_the_reading_and_can_be_left_out(tmp_path: Path) -> None:
    top, end = root(), leaf(drop=[x509.ExtendedKeyUsage])
    file = written(tmp_path, "chain.pem", pem(end.certificate(top, ca=False)))
    known = ["--anchors", written(tmp_path, "anchors.pem", pem(top.certificate())), "--name", "www.example.test", *AT]
    assert verify(file, *known) == 0
    assert verify(file, *known, "--reading", "webpki") == 1
    assert verify(file, *known, "--reading", "webpki", "--no-profile") == 0


def test_the_chain_of_a_server_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca_file = str(anchors_file(tmp_path))
    with Serving() as server:
        assert verify("--connect", f"127.0.0.1:{server.port}", "--anchors", ca_file, *AT) == 0
        assert verify("--connect", f"127.0.0.1:{server.port}", "--anchors", ca_file, "--name", "other.test", *AT) == 1
    assert "✗ WRONG_NAME" in capsys.readouterr().out


def test_a_server_that_is_none_could_not_be_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca_file = str(anchors_file(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=_answer_without_tls, args=(listener,))
        thread.start()
        assert verify("--connect", f"127.0.0.1:{port}", "--anchors", ca_file) == 3
        thread.join()
    assert "shows no chain" in capsys.readouterr().err
    assert verify("--connect", f"127.0.0.1:{port}", "--anchors", ca_file) == 3


def _answer_without_tls(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        while peer.recv(65536):
            pass


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("server.test", "server.test", 443), ("server.test:8443", "server.test", 8443), ("[::1]:8443", "::1", 8443)],
)
def test_a_server_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    server = parse_server(text)
    assert (server.host, server.port) == (host, port)


def test_a_server_without_a_host_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        parse_server(":8443")


# ------------------------------------------------------------------------------------------------------- the picture


@pytest.mark.parametrize("suffix", ["svg", "gv", "txt", "mmd"])
def test_figure_is_the_validation_of_this_chain_as_far_as_it_came(tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"validation.{suffix}"
    assert verify(*factory(tmp_path), "--figure", str(picture)) == 0
    sound = picture.read_text()
    assert verify(*factory(tmp_path, CertificateDefect.EXPIRED), "--figure", str(picture)) == 1
    expired = picture.read_text()
    if suffix == "txt":
        assert sound.startswith("Certificate validation: passed")
        assert expired.startswith("Certificate validation failed, check 5")
    assert "✗" in expired or "failed" in expired
    assert sound != expired


def test_figure_of_a_chain_that_cannot_be_read_is_drawn_too(tmp_path: Path) -> None:
    options, picture = factory(tmp_path)[1:], tmp_path / "validation.txt"
    unreadable = written(tmp_path, "unreadable.pem", pem(b"\x30\x03\x02\x01\x01"))
    assert verify(unreadable, *options, "--figure", str(picture)) == 1
    assert picture.read_text().startswith("Certificate validation failed, check 1")


@pytest.mark.parametrize("place", ["picture.gif", "picture", "picture.pcapng", "no-folder/picture.svg", "."])
def test_a_figure_that_cannot_be_written_is_told_before_anything_else(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(*factory(tmp_path), "--figure", str(tmp_path / place)) == 2
    told = capsys.readouterr()
    assert "--figure" in told.err
    assert told.out == ""


# ------------------------------------------------------------------------------------- what would go lost in silence


def test_a_byte_order_mark_hides_no_certificate(tmp_path: Path) -> None:
    file = Path(factory(tmp_path)[0])
    whole = read_blocks(file, CERTIFICATE)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_blocks(file, CERTIFICATE) == whole
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r"))
    assert read_blocks(file, CERTIFICATE) == whole


@pytest.mark.parametrize("block", [1, 2])
def test_an_end_without_its_begin_is_malformed(tmp_path: Path, block: int) -> None:
    """The certificate was passed over, so that the next one was taken for the leaf."""
    file = Path(factory(tmp_path)[0])
    parts = file.read_text().split("-----BEGIN")
    parts[block - 1 : block + 1] = ["----BEGIN".join(parts[block - 1 : block + 1])]
    file.write_text("-----BEGIN".join(parts))
    with pytest.raises(UsageError, match="-----END CERTIFICATE----- without its -----BEGIN"):
        read_blocks(file, CERTIFICATE)


@pytest.mark.parametrize("text", ["abc", "1", "1..2", "3.1", "1.2.", "1.02", "anyPolicy"])
def test_a_policy_that_is_no_identifier_is_told(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*factory(tmp_path), "--policy", text) == 2
    assert "expected a dotted identifier" in capsys.readouterr().err


def test_binary_data_in_place_of_a_crl_is_told_with_its_own_tool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.der"
    file.write_bytes(crl(ca()))
    assert verify(*factory(tmp_path), "--crl", str(file)) == 2
    assert "openssl crl -inform der" in capsys.readouterr().err
