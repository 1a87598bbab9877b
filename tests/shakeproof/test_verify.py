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
