"""Audits of OpenSSL's command-line programs over sockets: no false FAIL, and quiet known from the kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Grade
from shakeproof.properties.targets.base import SETUPS
from shakeproof.properties.targets.process import make_files
from shakeproof.properties.task_run import close_targets, run_task
from shakeproof.properties.tasks import Task
from tests.interop.peers import Process

S_SERVER = (
    "openssl s_server -accept {host}:{port} -cert {cert} -cert_chain {chain} -key {key} -quiet -rev "
    "-client_renegotiation -cipher ALL:@SECLEVEL=0 -dhparam {dh}"
)
S_CLIENT = (
    "openssl s_client -connect {host}:{port} -servername {name} -verify_hostname {name} -CAfile {ca} "
    "-verify_return_error -quiet -cipher ALL:@SECLEVEL=0"
)
HONEST_HANGS = frozenset({"TLS12-CLIENT-OPEN-ALERT-CLOSURE"})
"""s_client waits for its user after a close_notify in the middle of the handshake."""


@pytest.mark.slow
@pytest.mark.parametrize(("command", "role"), [(S_SERVER, "tls12.server"), (S_CLIENT, "tls12.client")])
def test_openssl_over_sockets_gives_no_false_failure(
    require_tool: Callable[[str], str], command: str, role: str
) -> None:
    require_tool("openssl")
    try:
        done = run_task(
            Task(f"exec:{command}", "", role, SETUPS[0], 0, (), None, "", True), float("inf"), lambda _: None
        )
    finally:
        close_targets()
    assert not done.error
    assert done.cells_run > 300
    wrong = {finding.check for finding in done.findings if finding.grade.is_failure}
    assert wrong - HONEST_HANGS == set()
    assert not any(finding.grade is Grade.INCONCLUSIVE for finding in done.findings)


@pytest.mark.slow
def test_server_at_an_address_is_audited_within_its_budget(require_tool: Callable[[str], str], tmp_path: Path) -> None:
    require_tool("openssl")
    make_files(tmp_path, "tls12.server", "rsa")
    words = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-cert_chain", "chain.pem"]
    server = Process([*words, "-key", "key.pem", "-rev", "-cipher", "ALL:@SECLEVEL=0"], tmp_path)
    try:
        port = int(server.line(r"^ACCEPT 127\.0\.0\.1:(\d+)", server.stdout)[1])
        run = audit([f"127.0.0.1:{port}"], time_s=12.0, jobs=1)
        assert server.is_running
    finally:
        server.stop()
    assert run.seconds < 18.0
    assert [finding.title for finding in run.findings if finding.grade.is_failure] == []
    assert run.roles[0].cells_run > 50


@pytest.mark.slow
def test_fetch_again_for_each_line_resumes_only_where_it_is_told_to(
    require_tool: Callable[[str], str], tmp_path: Path
) -> None:
    require_tool("openssl")
    make_files(tmp_path, "tls12.server", "rsa")
    words = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-cert_chain", "chain.pem"]
    server = Process([*words, "-key", "key.pem", "-www"], tmp_path)
    try:
        port = int(server.line(r"^ACCEPT 127\.0\.0\.1:(\d+)", server.stdout)[1])
        url = f"https://server.shakeproof.test:{port}/"
        resolve = f"server.shakeproof.test:{port}:127.0.0.1"
        command = [sys.executable, "-m", "shakeproof", "fetch", url, "--resolve", resolve, "--ca", "ca.pem", "--again"]
        done = subprocess.run(
            command, cwd=tmp_path, input=b"go\ngo resume\n", capture_output=True, timeout=60, check=False
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert re.findall(rb"^(New|Reused), ", done.stdout, re.MULTILINE) == [b"New", b"New", b"Reused"]
