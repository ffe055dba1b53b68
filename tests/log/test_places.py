"""The map of places against plain dictionaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indelible.journal.port import Place, Position
from indelible.log.places import Places


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
