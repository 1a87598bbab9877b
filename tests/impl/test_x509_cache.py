"""What the cache of parsed certificates keeps of those who asked."""

from __future__ import annotations

import gc
import weakref

import pytest

from shakeproof.impl.x509.certificate import Malformed, parse

MALFORMED = bytes.fromhex("3003 020100")


class Asker:
    """Somebody who has a malformed certificate parsed, such as a connection."""

    def ask(self) -> None:
        with pytest.raises(Malformed):
            parse(MALFORMED)


def test_parse_malformed_again_keeps_no_one_alive() -> None:
    askers = [Asker() for _ in range(3)]
    for asker in askers:
        asker.ask()
    seen = [weakref.ref(asker) for asker in askers]
    del asker
    askers.clear()
    gc.collect()
    assert [reference() for reference in seen] == [None] * 3
