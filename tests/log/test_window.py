"""The window against a plain list of keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indelible.log.window import Window


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=60), st.integers(1, 7), st.integers(0, 20))
def test_a_key_is_known_while_the_current_or_the_previous_generation_holds_it(
    events: list[tuple[int, int]], generation: int, start: int
) -> None:
    window = Window(generation)
    for position, (key, number) in enumerate(events, start):
        assert window.room(position) == generation - position % generation
        oldest = max(start, (position // generation - 1) * generation)
        held = [at for at in range(oldest, position) if events[at - start][0] == key]
        assert window.all_places(key) == held
        body = b"%d %d" % (key, number)
        if not window.take([key], position):
            found = window.places(key, body)
            assert held[0] in found or len(found) == 1
            assert set(found) <= set(held)
            same = [at for at in held if events[at - start][1] == number]
            assert bool(same) == any(at in same for at in found)
            window.take_again(key, body, position)
        assert window.all_places(key) == [*held, position]


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=20))
def test_keys_are_taken_together_if_none_is_known_and_none_stands_twice(batches: list[list[int]]) -> None:
    window, known, position = Window(1 << 20), set[int](), 0
    for batch in batches:
        window.room(position)
        fresh = len(set(batch)) == len(batch) and not known & set(batch)
        assert window.take(batch, position) == fresh
        if not fresh:
            for at, key in enumerate(batch, position):
                if not window.take([key], at):
                    window.take_again(key, b"%d" % at, at)
        position += len(batch)
        known |= set(batch)


def test_a_key_is_found_where_it_first_stood_whichever_thousand_shares_its_number() -> None:
    window, position = Window(10_000), 0
    for size in (1, 700, 700, 3, 5000, 1, 1, 3000, 594):
        window.room(position)
        assert window.take(range(position, position + size), position)
        position += size
    assert all(window.places(key, b"") == [key] for key in range(0, 10_000, 7))
    window.room(10_000)
    assert window.places(6404, b"") == [6404]
    assert not window.take([5], 10_000)
    window.take_again(5, b"", 10_000)
    assert window.places(5, b"") == [5, 10_000]
    window.room(20_000)
    assert window.places(5, b"") == [10_000]
    assert window.take([6], 20_000)


def test_a_large_batch_with_one_known_key_leaves_every_other_where_it_is() -> None:
    window = Window()
    window.room(0)
    assert window.take([7], 0)
    batch = [*range(1000, 1900), 7, *range(1900, 2000)]
    assert not window.take(batch, 1)
    for at, key in enumerate(batch, 1):
        if not window.take([key], at):
            window.take_again(key, b"again", at)
    assert [window.places(key, b"") for key in batch if key != 7] == [[at] for at, key in enumerate(batch, 1) if key != 7]
    assert (window.places(7, b"other"), window.places(7, b"again")) == ([0], [901])
