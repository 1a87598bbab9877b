"""TLS 1.2 composed with a client that tries again with an older version where a handshake has failed.

"There are buggy TLS 1.0 servers that simply close the connection when the client offers a version newer than TLS 1.0",
and to go on with them "may require multiple connection attempts by the client" (RFC 5246 appendix E.1). Whoever makes
these makes them for an attacker as well: it breaks the first connection, and nothing of the second tells that it is
one. Therefore the client says so in the second ClientHello, by TLS_FALLBACK_SCSV (RFC 7507 section 4), and a server that
has a newer version than is offered refuses (section 3). The rows are those of the tables under the reading `legacy`;
what is added is the attempt.

A new connection is made in one step: both sides are as at the beginning, and nothing of the old one is on the way.
There are two attempts at most, the second with the older version alone. What is presumed of TLS 1.2 is presumed of the
older version: that one changed hello or message spoils Finished. On the honest network the server is one of the buggy
ones, to which the signal says nothing, since it has no newer version: so the model shows that falling back still works.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shakeproof.model.composition import Is, Packet, Transition, slot
from shakeproof.model.facts import Fact, all_of
from shakeproof.model.machine import Role
from shakeproof.model.messages import ClientHello, connect, fallback, old_version
from shakeproof.model.notation import Symbol, call_message
from shakeproof.model.steps import LocalStep
from shakeproof.model.tls12 import ABORTED, CLOSED, VERSION, WAIT_CLIENT_HELLO, older
from shakeproof.model.tls12_composed import Composer
from shakeproof.model.tls12_meanings import Conditions, Meanings
from shakeproof.model.tls12_setting import ALERT, CLIENT, SERVER, Assign, Setting, Side, bits

ATTEMPT = Fact(
    "attempt",
    {
        "newest": "the client offers the newest version that it has",
        "fallen": "a handshake has failed, and the client tries again with an older version",
    },
)
newest, fallen = ATTEMPT.values

reconnect = call_message("reconnect", "the application tries again, on a new connection")

LEGACY = "legacy"
"""The reading of both tables under which older versions are enabled."""


def _buggy(step: LocalStep) -> LocalStep:
    """The step as an old server makes it that closes where the client offers a version which it does not know."""
    is_hello = step.state is WAIT_CLIENT_HELLO and step.symbol.message is ClientHello
    if not is_hello or step.symbol.has(old_version):
        return step
    return replace(step, row=replace(step.row, id=""), next=ABORTED, where=(), guard=None, assign=(), flight=(ALERT,))


class FallbackMeanings(Meanings):
    """What messages are, where the client says that it tries again."""

    def judged(self, side: Side, packet: Packet) -> Iterator[tuple[Conditions, Symbol, Assign]]:
        for guards, symbol, gained in super().judged(side, packet):
            if symbol.message is ClientHello and symbol.has(fallback):
                symbol = ClientHello.symbol(fallback if self.setting.attacked else old_version)
            yield guards, symbol, gained


class FallbackComposer(Composer):
    """Makes the transitions of a setting in which the client falls back to an older version."""

    MEANINGS = FallbackMeanings

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        if not setting.attacked:
            self.steps[SERVER] = [_buggy(step) for step in self.steps[SERVER]]

    def tables(self) -> dict[str, Role]:
        """The table of each side, with every protection, and with older versions enabled."""
        return {side: role.under({*role.default_readings, LEGACY}) for side, role in super().tables().items()}

    def compose(self) -> tuple[list[Transition], tuple[Packet, ...]]:
        """The transitions, and the packets that they speak of."""
        transitions, packets = super().compose()
        told = [
            replace(one, symbol=packets[one.takes - 1].symbol)  # what the client says, and not how that is judged
            if one.kind == "receives" and one.symbol.message is ClientHello
            else one
            for one in transitions
        ]
        return [*told, *self._reconnects()], packets

    def _called(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """The table lets a client offer either version; which, is a matter of the attempt."""
        for one in super()._called(side, step):
            if step.symbol.message is connect:
                attempt = fallen if dict(step.assign).get(VERSION.name) == older.bit else newest
                yield replace(one, where=(*one.where, (f"{CLIENT}.attempt", attempt.bit)))
            else:
                yield one

    def _reconnects(self) -> Iterator[Transition]:
        """Who has ended the first attempt begins the second, and meets a server that knows nothing of the first."""
        fresh = {name: mask for name, mask in self.begins().items() if name.split(".")[0] in self.sides}
        fresh |= bits({f"{CLIENT}.attempt": fallen}) | {"network.transcript": self.begins()["network.transcript"]}
        client, server = self.sides[CLIENT], self.sides[SERVER]
        empty = all_of(tuple(Is(slot(number), 0) for number in range(self.setting.bound)))
        for ended in (CLOSED, ABORTED):
            for state in server.role.states:
                where = {
                    f"{CLIENT}.state": client.at(ended), f"{CLIENT}.owes": 1, f"{CLIENT}.attempt": newest.bit,
                    f"{SERVER}.state": server.at(state),
                }  # fmt: skip
                yield Transition(
                    "", "calls", CLIENT, reconnect.symbol(), tuple(where.items()), None, empty, tuple(fresh.items())
                )

    def _facts(self) -> dict[str, tuple[Fact, int]]:
        return super()._facts() | {f"{CLIENT}.attempt": (ATTEMPT, newest.bit)}
