"""A client's connection on a real socket as a trace: every record in both directions, as our own endpoint opened it.

Nothing is decrypted a second time: the methods of this one connection object that open and write records, and that take
handshake messages, are heard. A state is the one that the table has for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import AlertDescription, AlertLevel, ClientConnection
from shakeproof.impl.tls.client import WAIT_CERTIFICATE
from shakeproof.impl.tls.config import ValidationOutcome
from shakeproof.impl.tls.connection import CLOSED
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH
from shakeproof.impl.tls.messages import HEADER_LENGTH, message_name
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.records import Record
from shakeproof.impl.tls.suites import ContentType
from shakeproof.impl.x509 import Result
from shakeproof.model.messages import DESCRIPTION, Alert, UnknownHandshake
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Lane, Line, Step, Trace, number_steps
from shakeproof.properties.mapper import classify, readings
from shakeproof.properties.mapper.context import Context, Options
from shakeproof.properties.mapper.readings import Reading, bytes_text
from shakeproof.properties.validated import lines_of
from shakeproof.refusals import table_state

CLIENT, SERVER = "client", "server"
ABORTED = "ABORTED"
"""The table tells a connection that ended with a fatal alert of one's own from others that are over."""
SESSION_KEYS = "the session keys"
DATA_STEPS_MOST = 8
"""Records of application data that are written down; of the others only the number. Nobody reads a thousand arrows."""

PHASES = ("hello", "certificate", "keys", "data", "closed")
"""The phases of a connection, in order; keys of those of the client's role."""
PHASE_OF = {"ClientHello": 0, "ServerHello": 0, "HelloRequest": 0, "Certificate": 1, "ApplicationData": 3}
HANDSHAKE_PHASE = 2
"""Where a handshake message belongs that is not named above."""


@dataclass
class Stream:
    """One direction: bytes of a handshake message that is not whole yet."""

    pending: bytes = b""


class Recorder:
    """Listens to one client connection, from before its start.

    name: the server's, for the classifier; clock: seconds.
    """

    def __init__(self, tls: ClientConnection, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.tls = tls
        self.name = name
        self.steps: list[Step] = []
        self.secrets: list[str] = []
        self._clock = clock
        self._began_s = clock()
        self._context = Context("server", Options(server_name=name, watches=True))
        self._streams = {CLIENT: Stream(), SERVER: Stream()}
        self._phase = 0
        self._data_left = DATA_STEPS_MOST
        self._omitted = 0
        self._omitted_length = 0
        self._omitted_at = 0
        self._titles = {CLIENT: "", SERVER: ""}
        self._raw = b""
        self._unplaced: list[Step] = []
        """Messages of the server's record that is being taken, which it has not come to yet."""
        self._listen()

    # ------------------------------------------------------------------------------------------------------- listening

    def _listen(self) -> None:
        tls = self.tls
        receive, take, write = tls.receive_record, tls.receive_handshake_message, tls.writer.write_record

        def hear(raw: bytes, came: Record | RemoteProtocolError) -> None:
            if isinstance(came, Record):
                self._raw = raw

        def noted_receive(record: Record) -> None:
            protected = tls.reader.is_protected
            steps = self._steps(SERVER, record.content_type, record.fragment, self._raw, protected=protected)
            if record.content_type == ContentType.HANDSHAKE:
                self._unplaced = steps
                try:
                    receive(record)
                finally:
                    while self._unplaced:  # what was refused unread
                        self._place(self._unplaced.pop(0))
                return
            for step in steps:
                self._place(step)
            self._follow(lambda: receive(record))

        def noted_take(handshake_type: int, raw: bytes) -> None:
            if self._unplaced:
                self._place(self._unplaced.pop(0))
            self._follow(lambda: take(handshake_type, raw))

        def noted_write(content_type: int, fragment: bytes) -> bytes:
            protected = not isinstance(tls.writer.protection, NullProtection)
            raw = write(content_type, fragment)
            for step in self._steps(CLIENT, content_type, fragment, raw, protected=protected):
                self._place(step)
            if content_type == ContentType.ALERT:
                self._end(fragment)
            return raw

        tls.reader.listener = hear
        for owner, method, noted in (
            (tls, "receive_record", noted_receive),
            (tls, "receive_handshake_message", noted_take),
            (tls.writer, "write_record", noted_write),
        ):
            setattr(owner, method, noted)
        tls.config = replace(tls.config, verify=self._judging(tls.config.verify), key_log=self._log(tls.config.key_log))

    def _follow(self, act: Callable[[], None]) -> None:
        """Act on the step that was placed last, and write down where that leads."""
        at, state = len(self.steps) - 1, self.tls.state
        try:
            act()
        finally:
            if at >= 0 and self.tls.state != state:
                self.steps[at] = replace(self.steps[at], before={CLIENT: table_state(state)})
                last = at  # what is done with a message comes before the state that it leads to
                while last + 1 < len(self.steps) and self.steps[last + 1].kind is Kind.ACTION:
                    last += 1
                self._reach(last, table_state(self.tls.state))

    def _reach(self, index: int, state: str) -> None:
        self.steps[index] = replace(self.steps[index], after={CLIENT: state})

    def _end(self, alert: bytes) -> None:
        """An alert of ours may be the end."""
        if alert[:1] == bytes([AlertLevel.FATAL]):
            self._reach(-1, ABORTED)
        elif alert[1:] == bytes([AlertDescription.CLOSE_NOTIFY]):
            self._reach(-1, CLOSED)

    def _log(self, sound: Callable[[str], None] | None) -> Callable[[str], None]:
        def log(line: str) -> None:
            self.secrets.append(line)
            if sound is not None:
                sound(line)

        return log

    def _judging(
        self, sound: Callable[[Sequence[bytes], str, datetime], ValidationOutcome]
    ) -> Callable[[Sequence[bytes], str, datetime], ValidationOutcome]:
        def verify(chain: Sequence[bytes], name: str, moment: datetime) -> ValidationOutcome:
            outcome = sound(chain, name, moment)
            if isinstance(outcome, Result):
                shown = self.tls.state == WAIT_CERTIFICATE
                title = "Validate the certificate" if shown else "Validate the saved certificate"
                why = () if shown else (Line("of the session that is to be resumed"),)
                self._act(title, (*why, *lines_of(outcome)), "RFC 5280 section 6.1")
            return outcome

        return verify

    # ---------------------------------------------------------------------------------------------------------- noting

    def _act(self, title: str, lines: tuple[Line, ...], clause: str) -> None:
        step = Step(0, Kind.ACTION, sender=CLIENT, layer="tls", title=title, lines=lines, clause=clause)
        self.steps.append(self._placed(step))

    def _placed(self, step: Step) -> Step:
        return replace(step, time_s=self._clock() - self._began_s, phase=PHASES[self._phase])

    def _place(self, step: Step) -> None:
        self._advance(step.message)
        self.steps.append(self._placed(step))

    def _steps(self, sender: str, content_type: int, fragment: bytes, raw: bytes, *, protected: bool) -> list[Step]:
        """The messages that a record completes, as steps that have no place yet."""
        if content_type == ContentType.APPLICATION_DATA and not self._has_room(sender, fragment):
            return []
        steps = []
        for reading in self._read(sender, content_type, fragment):
            name = reading.symbol.message.name
            step = Step(
                0,
                sender=sender,
                receiver=SERVER if sender == CLIENT else CLIENT,
                layer="tls",
                message=name,
                title=_title(reading),
                detail=reading.detail,
                data=raw,
                protection=SESSION_KEYS if protected else "",
                clause=reading.symbol.message.source,
            )
            if name == "ApplicationData" and self._titles[sender]:
                step = replace(step, title=self._titles[sender], layer="http", detail=f"{name}, {reading.detail}")
                self._titles[sender] = ""
            steps.append(step)
            raw = b""  # what else the record holds came with it
        return steps

    def _has_room(self, sender: str, fragment: bytes) -> bool:
        self._data_left -= 1
        if self._data_left >= 0 or self._titles[sender]:
            return True
        if not self._omitted:
            self._omitted_at = len(self.steps)
        self._omitted += 1
        self._omitted_length += len(fragment)
        return False

    def _advance(self, name: str) -> None:
        """The phase that a message belongs to; within a handshake they only go forward."""
        if name == "Alert":
            place = PHASES.index("closed")
        elif name == "ApplicationData":
            place = PHASES.index("data")
        else:
            place = PHASE_OF.get(name, HANDSHAKE_PHASE)
        self._phase = place if place in (0, PHASES.index("data")) else max(self._phase, place)

    def _read(self, sender: str, content_type: int, fragment: bytes) -> list[Reading]:
        if content_type == ContentType.HANDSHAKE:
            return self._read_handshake(self._streams[sender], fragment)
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            return [readings.change_cipher_spec(fragment)]
        if content_type == ContentType.ALERT:
            return [readings.alert(fragment)]
        return [readings.application_data(fragment)]

    def _read_handshake(self, stream: Stream, fragment: bytes) -> list[Reading]:
        stream.pending += fragment
        found = []
        while len(stream.pending) >= HEADER_LENGTH:
            length = int.from_bytes(stream.pending[1:HEADER_LENGTH], "big")
            stop = HEADER_LENGTH + length
            if length > MAX_MESSAGE_LENGTH or len(stream.pending) < stop:
                break
            message, stream.pending = stream.pending[:stop], stream.pending[stop:]
            found.append(self._classified(message))
        return found

    def _classified(self, message: bytes) -> Reading:
        try:
            return classify.handshake(self._context, message)
        except Exception:  # noqa: BLE001  the reader is made for honest stacks; a hostile one must not stop a fetch
            return Reading(_NAMELESS, f"{message_name(message[0])}, {bytes_text(len(message))}")

    # ------------------------------------------------------------------------------------------------- told by the user

    def expect(self, title: str) -> None:
        """The next record of application data that our client sends carries this."""
        self._titles[CLIENT] = title

    def entitle(self, title: str) -> None:
        """The server's first record of application data carries this."""
        for index, step in enumerate(self.steps):
            if step.sender == SERVER and step.message == "ApplicationData":
                self.steps[index] = replace(step, title=title, layer="http", detail=f"{step.message}, {step.detail}")
                return

    def refuse(self, error: RemoteProtocolError) -> None:
        """The server was at fault: written down before the alert that answers it."""
        title = f"Refuse: {error.alert.label}" if error.alert is not None else "Refuse"
        lines = (Line(f"got {error.got}", Check.FAILED), Line(f"expected {error.expected}"))
        self._act(title, lines, error.clause)
        if len(self.steps) > 1 and self.steps[-2].sender == CLIENT and self.steps[-2].message == "Alert":
            self.steps[-2:] = reversed(self.steps[-2:])

    def trace(self, title: str, subtitle: str) -> Trace:
        """What happened so far."""
        steps = list(self.steps)
        if self._omitted:
            word = f"{self._omitted} more records of application data, {bytes_text(self._omitted_length)}"
            steps.insert(self._omitted_at, Step(0, Kind.TIME, title=word, phase="data"))
        suite = self.tls.suite
        return Trace(
            title=title,
            lanes=(Lane(CLIENT, "Client", "shakeproof"), Lane(SERVER, "Server", self.name, "server")),
            steps=number_steps(steps),
            phases=tuple(phase for phase in ROLES["tls12.client"].phases if phase.key in PHASES),
            subtitle=subtitle,
            secrets=tuple(self.secrets),
            meta={"suite": suite.name if suite is not None else ""},
        )


_NAMELESS = readings.symbol_of(UnknownHandshake)


def _title(reading: Reading) -> str:
    """An alert is known by its description."""
    if reading.symbol.message is not Alert:
        return ""
    known = DESCRIPTION.named(reading.symbol.assignment[DESCRIPTION.name])
    return known[0].name if len(known) == 1 else ""
