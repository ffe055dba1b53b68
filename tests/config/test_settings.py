"""The settings: which value is in force, where it came from, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible import config
from indelible.config import Settings, load
from indelible.errors import Misconfigured
from indelible.http.connection.warden import Patience
from indelible.http.service import Service
from indelible.journal.file import FILE_SIZE, FileJournal
from indelible.model.entry import Origin, headers
from indelible.model.event import Event, Limits, Outcome, Result
from indelible.model.settings import BY_NAME, SETTINGS, size_text
from indelible.store.local.mapped import MEMORY

KEY = "k" * 32
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no indelible.toml of the developer's


def refusal(flags: dict[str, str | None] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(Misconfigured) as caught:
        load(flags or {}, environ or {})
    assert caught.value.exit_code == 78
    assert "\n" not in caught.value.detail
    return caught.value.detail


def file_refusal(text: str) -> str:
    Path("indelible.toml").write_text(text)
    return refusal()


def test_the_defaults_are_those_of_the_rooms_that_use_them() -> None:
    settings = load({}, {})
    fields = {name: field.default for name, field in Service.__dataclass_fields__.items()}
    assert settings.limits == Limits()
    assert settings.journal_file_size == FILE_SIZE
    assert (settings.logs, settings.key, settings.in_flight) == (fields["logs"], fields["key"], fields["in_flight"])
    assert settings.tail_memory == MEMORY
    assert settings.quick is fields["quick"] is True
    assert (settings.connections, settings.head_timeout, settings.stall_timeout, settings.idle_timeout) == Patience()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8080, Path("data"))
    assert {origin for _, _, origin in settings.rows()} == {"default"}


def test_a_flag_counts_over_a_variable_over_the_file_over_the_default() -> None:
    Path("indelible.toml").write_text("port = 1\nlabels = 1\nbatch_events = 1\n")
    settings = load({"port": "3", "config": None, "targets": None}, {"INDELIBLE_PORT": "2", "INDELIBLE_LABELS": "2", "HOME": "/"})

    assert (settings.port, settings.limits.labels, settings.limits.batch_events, settings.limits.targets) == (3, 2, 1, 64)
    assert [settings.origins[name] for name in ("port", "labels", "batch_events", "targets")] == [
        "flag --port",
        "variable INDELIBLE_LABELS",
        "indelible.toml",
        "default",
    ]


LIMITS = Limits(event_bytes=2048, batch_bytes=MIB, batch_events=7, header_characters=4000, targets=0, labels=1)
EACH: dict[str, tuple[str, str, object]] = {  # as a flag or variable, as the file has it, what it means
    "host": ("::1", '"::1"', "::1"),
    "port": ("0", "0", 0),
    "data": ("d", '"d"', Path("d")),
    "key": (KEY, f'"{KEY}"', KEY),
    "logs": ("a, b-1", '["a", "b-1"]', ("a", "b-1")),
    "origin": ("trail.example.org/v1/logs", '"trail.example.org/v1/logs"', "trail.example.org/v1/logs"),
    "ack_timeout": ("3", "3", 3),
    "policy": ("p", '"p"', Path("p")),
    "witness_timeout": ("4", "4", 4),
    "event_bytes": ("2 KiB", "2048", LIMITS.event_bytes),
    "batch_bytes": ("1mib", '"1 MiB"', LIMITS.batch_bytes),
    "batch_events": ("7", "7", LIMITS.batch_events),
    "header_characters": ("4000", "4000", LIMITS.header_characters),
    "targets": ("0", "0", LIMITS.targets),
    "labels": ("1", "1", LIMITS.labels),
    "in_flight": ("2097152", "2097152", 2 * MIB),
    "quick": ("false", "false", False),
    "workers": ("2", "2", 2),
    "tail_memory": ("0", "0", 0),
    "connections": ("9", "9", 9),
    "head_timeout": ("1", "1", 1),
    "stall_timeout": ("2", "2", 2),
    "idle_timeout": ("3", "3", 3),
    "read_only": ("true", "true", True),
    "journal_file_size": ("1 GiB", "1073741824", 1 << 30),
    "fsck_rate": ("0", "0", 0),
    "reserve": ("0", "0", 0),
}


def test_each_way_takes_every_setting() -> None:
    texts = {name: text for name, (text, _, _) in EACH.items() if name != "key"}
    by_flag = load(texts, {"INDELIBLE_KEY": KEY})
    by_variable = load({}, {f"INDELIBLE_{name.upper()}": text for name, (text, _, _) in EACH.items()})
    Path("indelible.toml").write_text("".join(f"{name} = {text}\n" for name, (_, text, _) in EACH.items()))
    by_file = load({}, {})
    assert set(EACH) == set(BY_NAME)
    for settings in (by_flag, by_variable, by_file):
        assert settings.limits == LIMITS
        own = [name for name in Settings.__struct_fields__ if name not in ("origins", "limits")]
        assert {name: getattr(settings, name) for name in own} == {name: EACH[name][2] for name in own}
    assert set(by_file.origins.values()) == {"indelible.toml"}


def test_the_file_named_by_a_flag_counts_over_the_one_of_the_variable_and_that_over_the_one_that_lies_there() -> None:
    for number, name in enumerate(("indelible.toml", "b.toml", "c.toml"), 1):
        Path(name).write_text(f"port = {number}\n")
    assert load({}, {}).port == 1
    assert load({}, {"INDELIBLE_CONFIG": "b.toml"}).port == 2
    settings = load({"config": "c.toml"}, {"INDELIBLE_CONFIG": "b.toml"})
    assert (settings.port, settings.origins["port"]) == (3, "c.toml")


def test_a_directory_in_the_file_is_meant_from_where_the_file_stands(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    Path("etc/trail.toml").write_text('data = "trail"')
    assert load({"config": "etc/trail.toml"}, {}).data == Path("etc/trail")
    Path("etc/trail.toml").write_text('policy = "witnesses"')
    assert load({"config": "etc/trail.toml"}, {}).policy == Path("etc/witnesses")
    Path("etc/trail.toml").write_text('policy = "none"')
    assert load({"config": "etc/trail.toml"}, {}).policy is None
    Path("etc/trail.toml").write_text('data = "/srv/trail"')
    assert load({"config": "etc/trail.toml"}, {}).data == Path("/srv/trail")
    assert load({"config": "etc/trail.toml", "data": "here"}, {}).data == Path("here")


WRONG = [
    ("port", "http", 'port is "http" (flag --port): it must be a whole number from 0 to 65535'),
    ("port", "65536", "a whole number from 0 to 65535"),
    ("port", "-1", "a whole number"),
    ("port", "٣", "a whole number"),
    ("port", "9" * 5000, "a whole number"),
    ("host", "", 'host is "" (flag --host)'),
    ("host", "127.0.0.1:80", "without port and brackets"),
    ("host", "[::1]", "without port and brackets"),
    ("data", "", "data"),
    ("data", "a\0b", "data"),
    ("logs", "", "names, each once"),
    ("logs", "a,a", "names, each once"),
    ("logs", "Default", "names, each once"),
    ("logs", "default,g2", "not g and a number"),
    ("logs", "-a", "names, each once"),
    ("logs", "a" * 64, "names, each once"),
    ("logs", "a\n", "names, each once"),
    ("event_bytes", "1 MB", 'event_bytes is "1 MB" (flag --event-bytes): it must be bytes, or a size such as 512 KiB'),
    ("event_bytes", "1023", "from 1 KiB to 255 MiB"),
    ("batch_bytes", "256 MiB", "from 1 KiB to 255 MiB"),
    ("header_characters", "4001", "from 36 to 4000"),
    ("read_only", "yes", 'read_only is "yes" (flag --read-only): it must be true or false'),
    ("read_only", "", "true or false"),
    ("journal_file_size", "1", "from 1 MiB to 16 GiB"),
]


@pytest.mark.parametrize(("name", "text", "words"), WRONG)
def test_a_wrong_value_is_refused_with_what_would_be_right(name: str, text: str, words: str) -> None:
    if "\n" not in text:
        assert words in refusal({name: text})
    if name != "logs":  # there a line's end is as good as a space
        assert f"(variable INDELIBLE_{name.upper()})" in refusal({}, {f"INDELIBLE_{name.upper()}": text})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("port = true", "port is true (indelible.toml): it must be a whole number"),
        ("port = 80.0", "port is 80.0 "),
        ("host = 1", "host is 1 "),
        ('logs = ["a", 1]', 'logs is ["a", 1] '),
        ("logs = []", "logs is [] "),
        ('logs = [["a"], ["a"]]', "names"),
        ("data = 2026-11-24", 'data is "2026-11-24" '),
        ("event_bytes = 1e6", "event_bytes is 1000000.0 "),
        ("event_bytes = true", "event_bytes is true "),
        ("targets = {a = 1}", "targets is "),
        ("port = [[[", "is not TOML"),
        ("port = 1\nport = 2", "is not TOML"),
    ],
)
def test_a_wrong_value_in_the_file_is_refused(line: str, words: str) -> None:
    assert words in file_refusal(line)


def test_a_wrong_value_that_is_not_in_force_is_not_looked_at() -> None:
    assert load({"port": "1"}, {"INDELIBLE_PORT": "http"}).port == 1


@pytest.mark.parametrize(
    ("name", "twin"),
    [("INDELIBLE_PROT", "INDELIBLE_PORT"), ("INDELIBLE_TOKEN", "INDELIBLE_KEY"), ("INDELIBLE_DATA_DIR", "INDELIBLE_DATA")],
)
def test_an_unknown_variable_is_refused_with_its_twin(name: str, twin: str) -> None:
    assert refusal({}, {name: "a secret maybe"}) == f"variable {name} is unknown: did you mean {twin}?"


@pytest.mark.parametrize(("name", "twin"), [("batch-bytes", "batch_bytes"), ("bind", "host"), ("evnt_bytes", "event_bytes")])
def test_an_unknown_name_in_the_file_is_refused_with_its_twin(name: str, twin: str) -> None:
    assert file_refusal(f'{name} = "a"') == f"indelible.toml: setting {name} is unknown: did you mean {twin}?"


def test_an_unknown_name_that_resembles_nothing_is_answered_with_those_there_are() -> None:
    assert file_refusal("[xyzzy]").endswith(f"there are {', '.join(BY_NAME)}")


def test_variables_of_clients_and_of_kubernetes_are_left_alone() -> None:
    environ = {
        "INDELIBLE_URL": "http://h",
        "INDELIBLE_SERVICE_HOST": "10.0.0.1",
        "INDELIBLE_SERVICE_PORT": "8080",
        "INDELIBLE_SERVICE_PORT_HTTP": "8080",
        "INDELIBLE_PORT": "tcp://10.0.0.1:8080",
        "INDELIBLE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "INDELIBLE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "INDELIBLE_VIEWER_SERVICE_HOST": "10.0.0.2",
        "INDELIBLE_VIEWER_PORT": "tcp://10.0.0.2:80",
        "_INDELIBLE_COMPLETE": "bash_source",
    }
    settings = load({}, environ)
    assert (settings.port, settings.origins["port"]) == (8080, "default")


def test_a_file_that_is_named_must_be_there_and_be_toml(tmp_path: Path) -> None:
    assert refusal({"config": "no.toml"}) == "there is no file no.toml (flag --config): name one that is there, or none"
    assert "no.toml (variable INDELIBLE_CONFIG)" in refusal({}, {"INDELIBLE_CONFIG": "no.toml"})
    assert "cannot be read: Is a directory" in refusal({"config": str(tmp_path)})
    Path("bad.toml").write_bytes(b"\xff")
    assert "bad.toml (flag --config) is not TOML" in refusal({"config": "bad.toml"})


@pytest.mark.parametrize("key", ["", "short", "k" * 31, "k" * 31 + " ", "ü" * 40, "k" * 1025, "k" * 32 + "\n"])
def test_a_key_that_is_short_or_odd_is_refused_and_not_shown(key: str) -> None:
    detail = refusal({}, {"INDELIBLE_KEY": key})
    assert detail.startswith("key (variable INDELIBLE_KEY): it must be text of 32 to 1024 ASCII characters")
    assert not key or key not in detail


def test_a_key_is_never_shown() -> None:
    key = "Sesame" * 6
    settings = load({}, {"INDELIBLE_KEY": key})
    assert settings.key == key
    assert ("key", "(set)", "variable INDELIBLE_KEY") in settings.rows()
    assert "Sesame" not in repr(settings) + str(settings.rows())
    assert ("key", "(not set)", "default") in load({}, {}).rows()
    assert "Sesame" not in file_refusal(f'key = ["{key}"]')
    assert BY_NAME["key"].flag is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "trail.example.com", "localhost.example.com"])
def test_without_a_key_only_loopback_is_listened_on(host: str) -> None:
    detail = refusal({"host": host})
    assert f"host is {host} (flag --host)" in detail
    assert "set INDELIBLE_KEY" in detail
    assert load({"host": host}, {"INDELIBLE_KEY": KEY}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_key(host: str) -> None:
    assert load({"host": host}, {}).host == host


def test_values_that_contradict_each_other_are_refused_with_both() -> None:
    assert refusal({"event_bytes": "17 MiB"}) == (
        "event_bytes is 17 MiB (flag --event-bytes): it must be at most batch_bytes, and batch_bytes is 16 MiB (default)"
    )
    assert refusal({"batch_bytes": "33 MiB"}) == (
        "in_flight is 64 MiB (default): it must be at least twice batch_bytes, 66 MiB: batch_bytes is 33 MiB (flag --batch-bytes)"
    )
    assert load({"batch_bytes": "32 MiB", "event_bytes": "32 MiB"}, {}).limits.event_bytes == 32 * MIB


def test_the_largest_batch_fits_a_frame_of_the_journal() -> None:
    load({"batch_bytes": "255 MiB", "in_flight": "1 GiB"}, {})
    assert FileJournal.largest >= (255 * MIB) + 1  # a body may lack its last LF


def test_the_longest_header_fits_65535_bytes() -> None:
    most = 4000
    refusal({"header_characters": str(most + 1)})
    # As long as it gets: a control character takes 6 bytes, and type, which may hold none, 4 for what lies beyond U+FFFF.
    event = Event(type="\U00010348" * most, source="\1" * most, time="2026-11-24T00:00:00Z", outcome=Outcome(result=Result.success))
    (header,) = headers([event], ["\1" * most], ["f" * 64], Origin(0, "w" * 500, "d" * 60))
    assert len(header) <= 65_535


@given(st.integers(0, 1 << 45))
def test_a_size_is_shown_as_it_may_be_written(size: int) -> None:
    number, unit = size_text(size).split()
    assert int(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit] == size


def test_every_default_may_be_written_as_it_is_shown() -> None:
    for setting in SETTINGS:
        if not setting.secret:
            assert setting.read(setting.show(setting.default)) == setting.default


@given(st.text(), st.sampled_from([setting.name for setting in SETTINGS if setting.name != "data"]))
def test_no_text_raises_anything_but_misconfigured(text: str, name: str) -> None:
    try:
        load({}, {f"INDELIBLE_{name.upper()}": text, "INDELIBLE_CONFIG": "/dev/null"})
    except Misconfigured as error:
        assert name in error.detail


def test_a_name_that_begins_like_ours_in_another_case_is_not_ours() -> None:
    assert load({}, {"indelible_port": "1", "INDELIBLEPORT": "2"}).port == 8080
    assert config.FILE_VARIABLE in config.OTHER_VARIABLES
