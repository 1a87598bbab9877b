"""`shakeproof fetch` and the foreign programs that are web servers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.interop.conftest import GetStack
from tests.interop.material import NAME, Material
from tests.interop.peers import Process

pytestmark = pytest.mark.slow

SUITES = [
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("name", ["openssl", "gnutls"])
def test_fetch_gets_a_foreign_servers_page(name: str, suite: str, get_stack: GetStack, material: Material) -> None:
    fetch = [sys.executable, "-W", "error", "-m", "shakeproof", "fetch"]
    with get_stack(name).serve_page() as server:
        where = f"{NAME}:{server.port}"
        options: list[str | Path] = ["--ca", material.ca_file, "--resolve", f"{where}:127.0.0.1", "--suites", suite]
        with Process([*fetch, *options, f"https://{where}/"], material.folder) as process:
            assert process.wait() == 0, process.describe()
            assert b"<HTML>" in process.stdout.data.upper(), process.describe()
