"""Machines that show everything a picture of a machine can show. Made up for drawing: no source of facts."""

from __future__ import annotations

from dataclasses import replace

from shakeproof.diagrams.picture import Difference, MachinePicture, Move, Region, Spot, Way

HAPPY, SECOND, FAILURE = Way.HAPPY, Way.SECOND, Way.FAILURE


def handshake() -> MachinePicture:
    """A path with a skip, a return, loops, failures and moves that hold everywhere."""
    regions = (Region("hello", "Hello", "tls"), Region("key", "Key exchange", "key"), Region("data", "Data", "data"))
    states = (("START", "hello"), ("WAIT_HELLO", "hello"), ("WAIT_CERTIFICATE", "key"), ("WAIT_FINISHED", "key"),
              ("CONNECTED", "data"), ("CLOSED", "data"))  # fmt: skip
    tints = {region.key: region.tint for region in regions}
    spots = tuple(Spot(name, name, region, tints[region], f"{name}: explained") for name, region in states)
    moves = (
        Move("START", "WAIT_HELLO", "call connect", "send ClientHello", HAPPY),
        Move("WAIT_HELLO", "WAIT_CERTIFICATE", "recv ServerHello", "new session", HAPPY),
        Move("WAIT_HELLO", "WAIT_FINISHED", "recv ServerHello", "resumed session"),
        Move("WAIT_CERTIFICATE", "WAIT_FINISHED", "recv Certificate[ok]", "send ClientKeyExchange, Finished", HAPPY),
        Move("WAIT_CERTIFICATE", "ABORTED", "recv Certificate[expired]", "alert certificate_expired", FAILURE),
        Move("WAIT_CERTIFICATE", "ABORTED", "recv Certificate[untrusted]", "alert unknown_ca", FAILURE),
        Move("WAIT_FINISHED", "CONNECTED", "recv Finished[match]", "", HAPPY),
        Move("WAIT_FINISHED", "ABORTED", "recv Finished[mismatch]", "alert decrypt_error", FAILURE),
        Move("WAIT_FINISHED", "WAIT_FINISHED", "recv HelloRequest"),
        Move("CONNECTED", "CONNECTED", "recv ApplicationData", "deliver"),
        Move("CONNECTED", "WAIT_HELLO", "call renegotiate", "send ClientHello"),
        Move("CONNECTED", "CLOSED", "call close", "send Alert[close_notify]", HAPPY),
    )
    return MachinePicture(
        "A handshake",
        (*spots, Spot("ABORTED", "ABORTED")),
        moves,
        regions,
        ("RFC 0000.", "Thick: the usual path."),
        tuple(spot.key for spot in spots),
        "ABORTED",
        (Move("OPEN", "CLOSED", "recv Alert[fatal]"),),
    )


def compared() -> MachinePicture:
    """The handshake against another one."""
    picture = handshake()
    moves = [replace(move, difference=Difference.SAME) for move in picture.moves]
    moves[7] = replace(moves[7], difference=Difference.CHANGED, replaced="alert decrypt_error", action="alert other")
    moves[9] = replace(moves[9], difference=Difference.MISSING)
    moves.append(Move("WAIT_HELLO", "CONNECTED", "recv Finished", difference=Difference.EXTRA))
    return replace(picture, title="Compared", moves=tuple(moves))


def measured() -> MachinePicture:
    """The handshake with counts, some of them zero."""
    picture = handshake()
    moves = tuple(replace(move, count=(0, 1, 1200, 14)[index % 4]) for index, move in enumerate(picture.moves))
    return replace(picture, title="Measured", moves=moves)


def connection() -> MachinePicture:
    """Twelve places on a grid; lines and labels are left to the engine."""
    places = {
        "CLOSED": (1, 0, "setup"), "LISTEN": (1, 1, "setup"), "SYN-RECEIVED": (0, 2, "setup"),
        "SYN-SENT": (2, 2, "setup"), "ESTABLISHED": (1, 3, "open"), "FIN-WAIT-1": (0, 4, "active"),
        "FIN-WAIT-2": (0, 5, "active"), "CLOSING": (1, 5, "active"), "TIME-WAIT": (0, 6, "active"),
        "CLOSE-WAIT": (2, 4, "passive"), "LAST-ACK": (2, 5, "passive"), "end": (2, 6, "passive"),
    }  # fmt: skip
    regions = (Region("setup", "Connection setup", "tcp"), Region("active", "Active close", "key"),
               Region("passive", "Passive close", "cert"))  # fmt: skip
    spots = tuple(
        Spot(key, "CLOSED" if key == "end" else key, region, "tcp", "", column=column, row=row)
        for key, (column, row, region) in places.items()
    )
    table = """
        CLOSED       LISTEN       second passive OPEN / create TCB
        CLOSED       SYN-SENT     happy  active OPEN / send SYN
        LISTEN       SYN-RECEIVED second recv SYN / send SYN-ACK
        LISTEN       SYN-SENT     other  SEND / send SYN
        SYN-SENT     SYN-RECEIVED other  recv SYN / send SYN-ACK
        SYN-SENT     ESTABLISHED  happy  recv SYN-ACK / send ACK
        SYN-SENT     CLOSED       other  CLOSE / delete TCB
        SYN-SENT     SYN-SENT     other  retransmission timeout / send SYN
        SYN-RECEIVED ESTABLISHED  second recv ACK of SYN /
        SYN-RECEIVED FIN-WAIT-1   other  CLOSE / send FIN
        ESTABLISHED  FIN-WAIT-1   happy  CLOSE / send FIN
        ESTABLISHED  CLOSE-WAIT   second recv FIN / send ACK
        ESTABLISHED  ESTABLISHED  other  recv data / send ACK
        FIN-WAIT-1   FIN-WAIT-2   happy  recv ACK of FIN /
        FIN-WAIT-1   CLOSING      other  recv FIN / send ACK
        FIN-WAIT-1   TIME-WAIT    other  recv FIN-ACK / send ACK
        FIN-WAIT-2   TIME-WAIT    happy  recv FIN / send ACK
        CLOSING      TIME-WAIT    other  recv ACK of FIN /
        TIME-WAIT    end          happy  2 MSL timeout / delete TCB
        CLOSE-WAIT   LAST-ACK     second CLOSE / send FIN
        LAST-ACK     end          second recv ACK of FIN /
    """
    moves = []
    for line in table.strip().splitlines():
        source, target, way, rest = line.split(maxsplit=3)
        trigger, _, does = rest.partition("/")
        moves.append(Move(source, target, trigger.strip(), does.strip(), Way(way)))
    return MachinePicture("A connection", spots, tuple(moves), regions, ("RFC 0000.",))


def learned() -> MachinePicture:
    """A machine without path and places."""
    spots = (Spot("s0", "state 0", tint="tls"), Spot("s1", "state 1", tint="tls", extra=True), Spot("end", "closed"))
    moves = (
        Move("s0", "s1", "ClientHello", "ServerHello", HAPPY),
        Move("s1", "s1", "AppData", "AppData"),
        Move("s0", "end", "Finished", "Alert unexpected_message"),
        Move("s1", "end", "Hello", "Alert x"),
    )
    return MachinePicture("Learned", spots, moves, (), ("3 states.",), (), "end")
