from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle import instant

from indelible.model import times

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30))
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)
LOOKALIKES = st.from_regex(
    r"(19|20|99|00)[0-9]{2}-[0-9]{2}-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,9})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])?",
    fullmatch=True,
)


@given(MOMENTS, OFFSETS)
def test_a_time_with_an_offset_becomes_the_same_moment_in_utc(moment: datetime, minutes: int) -> None:
    sign = "+" if minutes >= 0 else "-"
    given_text = f"{moment.isoformat(timespec='microseconds')}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    canonical = times.canonical(given_text)
    assert datetime.fromisoformat(canonical) == moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert len(canonical) == 27 and canonical.endswith("Z")
    assert times.canonical(canonical) == canonical
    assert times.text(times.micros(canonical)) == canonical


@given(st.one_of(LOOKALIKES, st.text(max_size=40)))
@example("2026-11-23T09:30:00Z\n")
@example("2026-11-23T09:30:00.")
@example("1969-12-31T23:59:59.999999Z")
@example("2026-11-23T09:30:00.5")
@example("2026-11-23T09:30:00Z+00:00")
@example("２026-11-23T09:30:00Z")
@example("2026-11-23T24:00:00.000000Z")
def test_what_is_a_time_and_which_agrees_with_the_oracle(text: str) -> None:
    expected = instant(text)
    assert times.canonical_batch([text]) == (None if expected is None else [expected])
    if expected is None:
        with pytest.raises(ValueError):
            times.canonical(text)
    else:
        assert times.canonical(text) == expected


@given(st.lists(st.one_of(LOOKALIKES, MOMENTS.map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")), max_size=8))
@example(["2026-11-23T09:30:00.000000", "Z2026-11-23T09:30:00.000000Z"])  # joined they look like two of 27 characters
def test_a_batch_is_what_its_times_are_one_by_one(batch: list[str]) -> None:
    each = [instant(text) for text in batch]
    assert times.canonical_batch(batch) == (None if None in each else each)


@given(st.lists(st.one_of(LOOKALIKES, MOMENTS.map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")), max_size=8))
@example(["2026-11-23t09:30:00.000000Z", "2026-11-23T09:30:00.000000z"])
@example(["2026-11-23T09:30:00.0+00:00", "2026-11-23T09:30:00.000000Z"])  # both of 27 characters
@example(["2026-11-23T09:30:00Z", "2026-11-23T09:30:00.0000000000000Z"])  # 27 on the average
def test_times_that_were_accepted_once_become_the_same_again(batch: list[str]) -> None:
    accepted = [text for text in batch if instant(text)]
    assert times.accepted_batch(accepted) == times.canonical_batch(accepted)


@pytest.mark.parametrize("fraction", ["00\0\0\0\x1b", "00000\0", "\0abcde", "000000"])
def test_nothing_stands_behind_the_end_of_a_time(fraction: str) -> None:
    """What counts is the text, and not how much of it a parser reads."""
    text = f"2026-11-01T00:15:01.{fraction}Z"
    assert times.canonical_batch([text, "2026-11-23T09:30:00.000000Z"]) == (
        [text, "2026-11-23T09:30:00.000000Z"] if fraction.isdigit() else None
    )


def test_a_batch_of_canonical_times_comes_back_as_it_is() -> None:
    batch = [f"2026-11-23T09:30:00.{place:06}Z" for place in range(100)]
    assert times.canonical_batch(batch) is batch
    assert times.accepted_batch(batch) is batch
    assert times.canonical_batch([]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-31T23:59:59.9999999Z", "2026-12-31T23:59:59.999999Z"),
        ("2026-11-23T09:30:00." + "9" * 5000 + "Z", "2026-11-23T09:30:00.999999Z"),
        ("2026-11-23t09:30:00z", "2026-11-23T09:30:00.000000Z"),
        ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000000Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2026-11-23T09:30:00-00:00", "2026-11-23T09:30:00.000000Z"),
    ],
)
def test_digits_are_cut_and_the_range_counts_in_utc(text: str, expected: str) -> None:
    assert times.canonical(text) == expected
    assert times.canonical_batch([text]) == [expected]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1732300000", '"1732300000" is a number of seconds since 1970: write "2024-11-22T18:26:40Z"'),
        ("1732300000.25", '"1732300000.25" is a number of seconds since 1970: write "2024-11-22T18:26:40.250000Z"'),
        ("1732300000123", '"1732300000123" is a number of milliseconds since 1970: write "2024-11-22T18:26:40.123000Z"'),
        ("1732300000123456", '"1732300000123456" is a number of microseconds since 1970: write "2024-11-22T18:26:40.123456Z"'),
        ("1732300000123456789", '"1732300000123456789" is a number of nanoseconds since 1970: write "2024-11-22T18:26:40.123456Z"'),
        (
            "2026-11-23T09:30:00",
            '"2026-11-23T09:30:00" has no offset from UTC: write "2026-11-23T09:30:00Z" if it is UTC, else end it with an offset such as +01:00',  # noqa: E501
        ),
        ("2026-11-23 09:30:00Z", '"2026-11-23 09:30:00Z" is not quite RFC 3339: write "2026-11-23T09:30:00Z"'),
        ("2026-11-23T09:30:00+0100", '"2026-11-23T09:30:00+0100" is not quite RFC 3339: write "2026-11-23T09:30:00+01:00"'),
        (
            "2016-12-31T23:59:60Z",
            '"2016-12-31T23:59:60Z" has second 60: write the second before it or after it, a leap second cannot be kept',
        ),
        ("1969-12-31T23:59:59Z", '"1969-12-31T23:59:59Z" lies outside the years 1970 to 9999 in UTC'),
        ("9999-12-31T23:30:00-01:00", '"9999-12-31T23:30:00-01:00" lies outside the years 1970 to 9999 in UTC'),
        ("2026-02-29T00:00:00Z", '"2026-02-29T00:00:00Z" is no point in time: day is out of range for month'),
        ("", '"" is not an RFC 3339 time: write it like "2026-11-23T09:30:00Z"'),
        ("2026-02-30", '"2026-02-30" is not an RFC 3339 time: write it like "2026-11-23T09:30:00Z"'),
    ],
)
def test_a_refusal_says_what_would_be_right(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        times.canonical(text)
    assert str(error.value).startswith(sentence)
