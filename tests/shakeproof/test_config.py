"""Settings from files: what they may say, and what is said about what they may not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from shakeproof.config import Accepted, Settings, load, seconds
from shakeproof.exits import UsageError
from shakeproof.properties.targets import find_target

DAY = dt.date(2026, 6, 1)


def write(folder: Path, text: str, name: str = "shakeproof.toml") -> Settings:
    (folder / name).write_text(text, encoding="utf-8")
    return load(folder)


@pytest.mark.parametrize(
    ("text", "value"), [("60s", 60.0), ("2m", 120.0), ("1.5m", 90.0), ("90", 90.0), ("500ms", 0.5), ("1h", 3600.0)]
)
def test_seconds_reads_units(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "0", "0s", "-5s", "1y", "1e9", "nan", "inf", "9999h", "5 5s"])
def test_seconds_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="time"):
        seconds(text)


def test_load_without_a_file_gives_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


def test_load_reads_options_targets_and_accepted_findings(tmp_path: Path) -> None:
    settings = write(
        tmp_path,
        """
        time = "20s"
        fail-on = "deviation"
        format = ["json", "text"]
        [targets.mine]
        connect = "127.0.0.1:8443"
        [[accept]]
        rule = "TLS12-*-ALERT-FATAL"
        target = "mine"
        reason = "known, see ticket 7"
        until = 2026-12-31
        """,
    )
    assert settings.options == {"time": "20s", "fail-on": "deviation", "format": "json,text"}
    assert settings.connect("mine") == find_target("mine").name == "mine"
    assert find_target("mine").description == "the server at 127.0.0.1:8443"
    assert settings.connect("openssl") == "openssl"
    (entry,) = settings.accept
    assert entry.until == dt.date(2026, 12, 31)
    assert entry.reason == "known, see ticket 7"


def test_load_finds_the_table_of_a_project_above(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.shakeproof]\nsuite = "quick"\n', encoding="utf-8")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\nx = 1\n", encoding="utf-8")
    assert load(inner).options == {"suite": "quick"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tiem = '20s'", "Did you mean 'time'"),
        ("profile = ''", "profile is empty"),
        ("seed = 'x'", "expected int"),
        ("seed = true", "expected int"),
        ("targets = 3", "targets is a table"),
        ("[targets.mine]\nconect = 'a:1'", "Did you mean 'connect'"),
        ("[targets.mine]", "needs connect"),
        ("[targets.mine]\nconnect = ''", "is empty"),
        (
            "[targets.mine]\nconnect = 'yours'\n[targets.yours]\nconnect = 'mine'",
            "targets.mine.connect = 'yours': that",
        ),
        ("[[accept]]\nrule = 'X'\nreason = 'y'", "needs until"),
        ("[[accept]]\nrule = 'X'\nuntil = 2026-01-01", "needs reason"),
        ("[[accept]]\nrule = 'X'\nreason = 'y'\nuntil = '2026-01-01'", "without quotes"),
        ("accept = {rule = 'X'}", "accept is a list"),
        ("time = ", "not TOML"),
    ],
)
def test_load_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"shakeproof\.toml") as caught:
        write(tmp_path, text)
    assert said in str(caught.value)


def test_load_refuses_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "shakeproof.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(tmp_path)


def test_accepted_covers_by_pattern_and_target() -> None:
    entry = Accepted("TLS12-*-FATAL", "why", DAY, "openssl")
    assert entry.covers("TLS12-CLIENT-OPEN-ALERT-FATAL", "openssl")
    assert not entry.covers("TLS12-CLIENT-OPEN-ALERT-FATAL", "shakeproof")
    assert not entry.covers("TLS12-CLIENT-OPEN-ALERT-BROKEN", "openssl")
    assert Accepted("X.Y", "why", DAY).covers("x.y", "any target")
    assert not Accepted("X.Y", "why", DAY).covers("XZY", "any target"), "a dot is a dot"


def test_accepted_holds_on_its_last_day_only() -> None:
    entry = Accepted("X", "why", DAY)
    assert not entry.is_expired(DAY)
    assert entry.is_expired(DAY + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("entry", "audited", "covered"),
    [
        ("mine", "mine", True), ("mine", "127.0.0.1:8443", True), ("127.0.0.1:8443", "mine", True),
        ("mine", "yours", False), ("127.0.0.1:8444", "mine", False), ("", "mine", True), ("started", "mine", False),
    ],
)  # fmt: skip
def test_accepted_finding_holds_for_the_target_under_any_of_its_names(
    entry: str, audited: str, covered: bool, tmp_path: Path
) -> None:
    text = (
        '[targets.mine]\nconnect = "127.0.0.1:8443"\n[targets.yours]\nconnect = "127.0.0.1:8444"\n'
        '[targets.started]\nconnect = "127.0.0.1:8443"\nstart = "server"\n'
        '[[accept]]\nrule = "X"\nreason = "why"\nuntil = 2026-12-31\n'
    )
    settings = write(tmp_path, text + (f'target = "{entry}"\n' if entry else ""))
    (accepted,) = settings.accepting([audited, "openssl"])
    assert accepted.covers("X", audited) is covered
