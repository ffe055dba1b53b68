"""The real service, killed at drawn points and moments under load: a short form of `make torture`."""

from __future__ import annotations

from pathlib import Path

from kills import DROPPING, FRESH, REOPENING, RUNNING, STARTING, STOPPING, TORN, Trail, moments
from seeds import drawn


def test_every_receipt_holds_after_each_of_several_kills(tmp_path: Path) -> None:
    random = drawn("kills")
    met = 0
    with Trail(tmp_path) as trail:
        for points, many in ((FRESH, 2), (RUNNING, 5), (STARTING, 2), (RUNNING, 2)):
            for point, when in random.sample(moments(points), many):
                rule = point.rule(when, random)
                reached = trail.life(random, rule)
                print(trail.lives, rule, reached)
                met += reached
        for point, when in random.sample(moments(DROPPING), 2):
            assert trail.life(random, TORN.rule("half", random))
            rule = point.rule(when, random)
            assert trail.life(random, rule), rule
        for point, when in random.sample(moments(STOPPING), 2) + random.sample(moments(REOPENING), 1):
            if point in REOPENING:
                assert not trail.stopped(random)
            rule = point.rule(when, random)
            assert trail.stopped(random, rule), rule
        for _ in range(2):
            trail.life(random, None)
        trail.end()
    assert met > 7, "most points are met, or this is no test of them"
