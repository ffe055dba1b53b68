"""The window and the map of places against plain lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indelible.journal.port import Place, Position
from indelible.log.places import Places
from indelible.log.window import Window


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 7))
def test_a_key_is_known_at_every_position_of_the_current_and_the_previous_generation(keys: list[int], generation: int) -> None:
    window = Window(generation)
    for position, key in enumerate(keys):
        assert window.room(position) == generation - position % generation
        oldest = max(0, (position // generation - 1) * generation)
        expected = [at for at in range(oldest, position) if keys[at] == key]
        assert window.places(key) == expected
        assert window.fresh([key]) == (not expected)
        if expected:
            window.add_again(key, position)
        else:
            window.add([key], position)


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=20))
def test_keys_are_fresh_together_if_none_is_known_and_none_stands_twice(batches: list[list[int]]) -> None:
    window, known, position = Window(1 << 20), set[int](), 0
    for batch in batches:
        window.room(position)
        assert window.fresh(batch) == (len(set(batch)) == len(batch) and not known & set(batch))
        for key in batch:
            window.add_again(key, position)
            position += 1
        known |= set(batch)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.lists(st.sampled_from(["new", "new", "drop", "conflict"]), min_size=1, max_size=5)),
        max_size=12,
    )
)
def test_places_lead_from_positions_to_indexes_and_back(frames: list[tuple[str, list[str]]]) -> None:
    places, position, sizes = Places(), 0, {"a": 0, "b": 0}
    index_of: dict[int, tuple[str, int]] = {}
    position_of: dict[tuple[str, int], int] = {}
    dropped: dict[int, int] = {}
    conflicts: dict[int, int] = {}
    starts = []
    for number, (log, events) in enumerate(frames):
        place = Place(Position(position), number % 3, 1000 + number)
        places.add_frame(log, place, sizes[log])
        for kind in events:
            starts.append(place)
            if kind == "drop" and sizes[log]:
                places.drop(position, 0)
                dropped[position] = 0
                index_of[position] = (log, 0)
            else:
                if kind == "conflict" and sizes[log]:
                    places.conflict(position, 0)
                    conflicts[position] = 0
                index_of[position] = (log, sizes[log])
                position_of[log, sizes[log]] = position
                sizes[log] += 1
            position += 1
    for at, (_, index) in index_of.items():
        assert places.index(at) == index
        assert places.frame(at) == starts[at]
        assert places.conflict_with(at) == conflicts.get(at)
    for (log, index), at in position_of.items():
        assert places.position(log, index) == at
    for start in range(0, position + 1, 3):
        found = places.refusals(Position(start), Position(position))
        assert found.dropped == {at for at in dropped if at >= start}
        assert found.conflicts == {at: first for at, first in conflicts.items() if at >= start}
