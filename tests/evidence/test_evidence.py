"""An evidence file proves what its first line says, and nobody who changes it is believed."""

from __future__ import annotations

import io
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZipFile

import pytest
from msgspec import structs
from paper import KEY, MOMENT, OLD_KEY, ORIGIN, WITNESS, Paper, contents, events, made, rewritten

from indelible.client.answers import Entries
from indelible.errors import BadParameter, Busy, Damaged, Malformed, NotYet, TooLarge, Unproven
from indelible.evidence import gather as gathering
from indelible.evidence.check import check
from indelible.evidence.claims import first_line
from indelible.model import times
from indelible.tree.cosignature import Witness
from indelible.tree.policy import parse_policy
from indelible.verify.evidence import verify
from indelible.verify.memory import Memory
from indelible.verify.terms import Terms
from indelible.verify.trust import trust

BILLED = ("type", "customer.billed")


def policy(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


GENERATION = b'{"type":"indelible.generation","source":"indelible","data":{"generation":2,"index":8,"checkpoint":null}}'
CONFLICT = b'{"type":"indelible.conflict","source":"indelible","data":{"source":"billing","id":"e-1","index":1,"refused":{}}}'


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 17, 255, 256, 257, 600])
def test_every_event_that_matches_is_proven_at_any_size(size: int, tmp_path: Path) -> None:
    report = check(made(Paper(events(size)), tmp_path / "case.zip", ("actor.id", "0")))
    assert (report.proven, report.case.unproven) == ((size + 4) // 5, 0)
    assert not report.confirmed and report.page
    assert set(report.signers) == {KEY.public.vkey, OLD_KEY.public.vkey}


@pytest.mark.parametrize(("first", "last"), [(0, 600), (0, 1), (599, 600), (255, 257), (3, 256), (256, 512), (100, 431)])
def test_a_whole_range_is_hashed_up_to_the_root(first: int, last: int, tmp_path: Path) -> None:
    path = made(Paper(events(600)), tmp_path / "case.zip", BILLED, first=first, last=last, complete=True)
    assert check(path).proven == sum(1 for at in range(first, last) if at % 3)
    assert len(contents(path)["range/headers.ndjson"].splitlines()) == last - first


def test_with_the_whole_range_an_event_that_was_left_out_is_missed(tmp_path: Path) -> None:
    paper = Paper(events(30))
    path = made(paper, tmp_path / "case.zip", BILLED, complete=True)
    whole = contents(path)
    paper.hidden = {7}
    fewer = contents(made(paper, path, BILLED))
    case = fewer["case.json"].replace(b'"complete": false', b'"complete": true')
    rewritten(path, {**whole, **{name: text for name, text in fewer.items() if name.startswith("matching/")}, "case.json": case})
    with pytest.raises(Unproven, match="entry 7 of the range matches, and is not in matching/"):
        check(path)


def test_without_the_whole_range_the_report_says_that_others_may_match(tmp_path: Path) -> None:
    paper = Paper(events(30))
    some = contents(made(paper, tmp_path / "case.zip", BILLED))["report.html"].decode()
    whole = contents(made(paper, tmp_path / "case.zip", BILLED, complete=True))["report.html"].decode()
    assert "others may match" in some and "no other entry" not in some
    assert "others may match" not in whole and "no other entry from 0 up to, not including, 30 matches" in whole


def test_the_first_line_of_the_report_says_what_is_proven_and_what_is_not(tmp_path: Path) -> None:
    page = contents(made(Paper(events(3)), tmp_path / "case.zip", BILLED))["report.html"].decode()
    first = page.partition("<body>\n")[2].partition("\n")[0]
    assert re.fullmatch(r'<p class="first">Proves that the 2 events below .* Does not prove .*</p>', first)


def test_the_report_has_the_question_who_asked_and_both_times(tmp_path: Path) -> None:
    lines = [b'{"id":"a","type":"t","source":"s","time":"2020-01-01T01:00:00+01:00"}', b'{"id":"b","type":"t","source":"s"}']
    page = contents(made(Paper(lines), tmp_path / "case.zip", ("type", "t")))["report.html"].decode()
    for text in (
        "type=t",
        "A. Auditor",
        "2020-01-01T00:00:00.000000Z",
        times.text(MOMENT),
        "not given",
        "Cosigned by nobody",
        KEY.public.vkey,
    ):
        assert text in page


def test_the_report_is_alone_runs_nothing_and_shows_events_as_they_are(tmp_path: Path) -> None:
    hostile = '{"id":"<img src=x>","type":"<script>alert(1)</script>","source":"http://evil.example/","actor":{"name":"\u202egpj.exe"},"data":"</pre>"}'
    page = contents(made(Paper([hostile.encode()]), tmp_path / "case.zip", ("id", "<img src=x>")))["report.html"].decode()

    class Tags(HTMLParser):
        found: set[str] = set()  # noqa: RUF012

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.found.add(tag)
            assert not {name for name, _ in attributes} & {"src", "href", "onload", "style", "action", "data"}

    Tags().feed(page)
    assert not Tags.found & {"script", "img", "link", "iframe", "a", "form", "object", "base"}
    assert "default-src 'none'" in page and "\u202e" not in page and "&lt;script&gt;" in page


def test_the_same_answers_give_the_same_bytes_but_for_the_moment(tmp_path: Path) -> None:
    paper = Paper(events(40))
    one = made(paper, tmp_path / "one.zip", BILLED, complete=True)
    other = made(paper, tmp_path / "other.zip", BILLED, complete=True)
    later = made(paper, tmp_path / "later.zip", BILLED, complete=True, at="2027-01-01T00:00:00.000000Z")
    assert one.read_bytes() == other.read_bytes()
    differing = {name for name, text in contents(one).items() if contents(later)[name] != text}
    assert differing == {"case.json", "report.html", "SHA256SUMS"}
    with ZipFile(one) as opened:
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_key_from_elsewhere_confirms_the_signer_and_another_one_does_not(tmp_path: Path) -> None:
    path = made(Paper(events(9)), tmp_path / "case.zip", BILLED)
    assert check(path, parse_policy(policy(f"log {KEY.public.vkey}", "quorum none"))).confirmed
    other = type(KEY)(ORIGIN, bytes(32)).public.vkey
    with pytest.raises(Unproven, match="trees/001/checkpoint: not signed by"):
        check(path, parse_policy(policy(f"log {other}", "quorum none")))


def test_the_checkpoint_that_witnesses_cosigned_is_taken_and_their_word_can_be_asked_for(tmp_path: Path) -> None:
    paper = Paper(events(9))
    asked = policy(f"log {KEY.public.vkey}", f"witness w {Witness(WITNESS, 0).public.vkey}", "quorum w")
    with pytest.raises(Unproven, match="quorum 'w' is not met"):
        check(made(paper, tmp_path / "case.zip", BILLED), parse_policy(asked))
    paper.witnessed = True
    path = made(paper, tmp_path / "case.zip", BILLED)
    assert check(path, parse_policy(asked)).cosigners == ("witness.example",)
    assert "Cosigned by witness.example" in contents(path)["report.html"].decode()


def test_what_is_not_signed_yet_is_waited_for(tmp_path: Path) -> None:
    paper = Paper(events(9))
    paper.grow = 3
    assert check(made(paper, tmp_path / "case.zip", BILLED)).proven == 6
    assert paper.asked == 4


def test_a_range_that_is_never_signed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match="has signed 5 entries so far, not 9: ask again in a moment, or for fewer with --to 5"):
        made(Paper(events(9), published=[5]), tmp_path / "case.zip", BILLED)
    assert check(made(Paper(events(9), published=[5]), tmp_path / "case.zip", BILLED, last=5)).proven == 3


@pytest.mark.parametrize("complete", [False, True])
def test_events_of_a_tree_that_ended_before_they_were_signed_are_shown_and_counted(complete: bool, tmp_path: Path) -> None:
    paper = Paper(events(9), [GENERATION, *events(4)], published=[7, 5])
    path = made(paper, tmp_path / "case.zip", ("source", "billing"), complete=complete)
    report = check(path)
    assert (report.proven, report.case.unproven, report.case.unsigned) == (11, 2, 2)
    page = contents(path)["report.html"].decode()
    assert page.count("<td>NOT PROVEN: under no checkpoint</td>") == 2
    assert first_line(report.case).startswith("NOT PROVEN: 2 of the 13 events that match stand under no checkpoint: the server")
    assert "Proven is only that the other 11 events below are, byte for byte, in the log" in first_line(report.case)


def test_how_many_are_unproven_is_held_against_the_trees(tmp_path: Path) -> None:
    path = made(Paper(events(9), [GENERATION, *events(4)], published=[7, 5]), tmp_path / "case.zip", ("source", "billing"))
    members = contents(path)
    rewritten(path, {**members, "case.json": members["case.json"].replace(b'"unproven": 2', b'"unproven": 0')})
    with pytest.raises(Unproven, match=r"2 entries of matching/ are under no checkpoint, and case\.json says 0"):
        check(path)


QUESTIONS = {  # of entries 0 to 13, of which 7 and 8 are under no checkpoint: what is proven of the events that match, or None
    "all proven": ([("id", "e-1")], False, True),
    "the only one unproven": ([("id", "e-7")], False, False),
    "one of two unproven": ([("id", "e-1"), ("id", "e-7")], False, False),
    "all proven, but not that no other matches": ([("id", "e-1")], True, False),
    "none, and not that none matches": ([("id", "nobody")], True, False),
    "none, and nothing asked of others": ([("id", "nobody")], False, False),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_nothing_says_proves_while_a_part_of_the_answer_is_unproven(what: str, tmp_path: Path) -> None:
    filters, complete, proven = QUESTIONS[what]
    paper = Paper(events(9), [GENERATION, *events(4)], published=[7, 5])
    path = made(paper, tmp_path / "case.zip", *filters, complete=complete)
    page = contents(path)["report.html"].decode()
    assert ("NOT PROVEN: " not in page) == ("Proves" in page) == proven
    line = first_line(check(path).case)
    assert f'<p class="first">{escape(line)}</p>' in page and line.startswith("Proves that " if proven else "NOT PROVEN: ")


def test_a_lie_about_an_entry_under_no_checkpoint_is_never_called_proven(tmp_path: Path) -> None:
    """Whoever sits between may write what he likes there: header, salt and event fit each other, and nobody signed them."""
    lies = [line.replace(b'"4.50', b'"666.50') for line in events(9)]
    path = made(Paper(lies, [GENERATION, *events(4)], published=[0, 5]), tmp_path / "case.zip", ("id", "e-4"))
    report = check(path)
    assert (report.proven, report.case.unproven) == (0, 1)
    assert first_line(report.case).startswith("NOT PROVEN: the one event that matches stands under no checkpoint")
    assert "Proven is nothing." in first_line(report.case)


def test_a_whole_range_says_of_how_many_entries_nothing_shows_that_they_are_the_logs(tmp_path: Path) -> None:
    """Whoever leaves a tree out that had ended may write what he likes in its place: no line may then speak of all entries."""
    paper = Paper(events(9), [GENERATION, *events(4)], published=[0, 5])
    path = made(paper, tmp_path / "case.zip", ("actor.id", "0"), complete=True)
    verdict = verify(str(path), Terms(trust((), None), Memory(tmp_path / "state")))
    assert "every entry that a checkpoint signs is in it" in verdict.lines[0]
    assert "9 entries of the range stand under no checkpoint" in verdict.unproven
    page = contents(path)["report.html"].decode()
    assert "no other entry from 0 up to, not including, 14 matches that a checkpoint signs" in page
    whole = made(Paper(events(9)), tmp_path / "case.zip", ("actor.id", "0"), complete=True)
    assert (
        "every entry is in it, so no other of them matches"
        in verify(str(whole), Terms(trust((), None), Memory(tmp_path / "state"))).lines[0]
    )


@pytest.mark.parametrize(("first", "word"), [(GENERATION.replace(b"8", b"7"), "begins at index 8"), (events(1)[0], "this is none")])
def test_a_later_tree_begins_where_its_first_entry_says(first: bytes, word: str, tmp_path: Path) -> None:
    path = made(Paper(events(9), [first, *events(4)]), tmp_path / "case.zip", ("actor.id", "0"), complete=True)
    with pytest.raises(Unproven, match=f"entry 9.*{word}|entry 9, with which"):
        check(path)
    check(made(Paper(events(9), [first, *events(4)]), tmp_path / "case.zip", ("actor.id", "1"), first=10))  # it is not in the range


def test_conflicts_damage_and_new_trees_in_the_range_are_named(tmp_path: Path) -> None:
    paper = Paper([*events(4), CONFLICT], [GENERATION.replace(b"8", b"4"), *events(2)])
    path = made(paper, tmp_path / "case.zip", ("id", "e-1"), complete=True)
    assert check(path).case.touching == 2
    page = contents(path)["report.html"].decode()
    assert "What else touched these entries: 2" in page and "indelible.conflict" in page and "no erasures and no gaps" in page
    members = contents(path)
    for name in ("indexes.txt", "headers.ndjson", "salts.txt", "events.ndjson"):
        members[f"touching/{name}"] = members[f"touching/{name}"].splitlines(True)[1]
    members["case.json"] = members["case.json"].replace(b'"touching": 2', b'"touching": 1')
    del members["proofs/4.tlog-proof"]
    rewritten(path, members)
    with pytest.raises(Unproven, match="entry 4 of the range matches, and is not in touching/"):
        check(path)


def test_nothing_that_matches_is_an_answer_too(tmp_path: Path) -> None:
    path = made(Paper(events(9)), tmp_path / "case.zip", ("actor.id", "nobody"), complete=True)
    assert check(path).proven == 0
    assert "Proves that no other entry from 0" in contents(path)["report.html"].decode()


def test_half_an_answer_is_refused(tmp_path: Path) -> None:
    paper = Paper(events(9))
    paper.complete = False
    with pytest.raises(Unproven, match="half an answer"):
        made(paper, tmp_path / "case.zip", BILLED)


def test_a_server_that_gives_the_same_page_for_ever_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper(events(9))
    answer, asked = paper.entries, []

    def stuck(filters: Iterable[tuple[str, str]]) -> Entries:
        asked.append(filters)
        assert len(asked) < 10
        page = answer(filters)
        return structs.replace(page, next=9)

    monkeypatch.setattr(paper, "entries", stuck)
    with pytest.raises(Busy, match="does not come further"):
        made(paper, tmp_path / "case.zip", BILLED)


def test_more_entries_than_can_be_proven_one_by_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST", 5)
    with pytest.raises(TooLarge, match="ask for fewer"):
        made(Paper(events(30)), tmp_path / "case.zip", BILLED)


def test_a_log_that_has_signed_nothing_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match="no entries yet"):
        made(Paper([]), tmp_path / "case.zip", BILLED)
    with pytest.raises(NotYet, match=r"signed 0 entries so far, not 9: ask again in a moment$"):
        made(Paper(events(9), published=[0]), tmp_path / "case.zip", BILLED)


@pytest.mark.parametrize(("first", "last"), [(0, 10), (9, None), (5, 5), (6, 5), (100, None)])
def test_a_range_that_is_none_is_refused_at_once(first: int, last: int | None, tmp_path: Path) -> None:
    paper = Paper(events(9))
    with pytest.raises(BadParameter):
        made(paper, tmp_path / "case.zip", BILLED, first=first, last=last)
    assert paper.asked == 1


@pytest.mark.parametrize("published", [[4], [4, 2]], ids=["its only tree", "its newest tree"])
def test_a_log_that_lost_what_it_signed_is_said_to_be_damaged(published: list[int], tmp_path: Path) -> None:
    """As a server tells it that only reads: a checkpoint, and a size of 0 under it."""
    paper = Paper(*([events(4), [GENERATION, *events(1)]][: len(published)]), published=published)
    paper.lost = True
    with pytest.raises(Damaged, match=f"was signed with {published[-1]} entries.*until its operator puts a backup back, or repairs it"):
        made(paper, tmp_path / "case.zip", BILLED)
    assert paper.asked == 1
    if len(published) > 1:
        assert check(made(paper, tmp_path / "case.zip", BILLED, last=4)).proven == 2


def test_a_server_that_lies_is_found_out_before_the_file_is_given(tmp_path: Path) -> None:
    paper = Paper(events(9))
    event, header, salt, record = paper.entries_[4]
    paper.entries_[4] = (event.replace(b"4.50", b"9.50"), header, salt, record)
    with pytest.raises(Unproven, match="are not those that were logged"):
        check(made(paper, tmp_path / "case.zip", BILLED))


def test_a_salt_that_lends_its_last_byte_to_the_event_is_none(tmp_path: Path) -> None:
    """Salt and event are hashed as one text: only the salt's length says where the event begins."""
    more = next(b"%d" % at for at in range(10_000) if sha256(b"salt 0%d" % at).digest()[15:16] == b" ")
    path = made(Paper(events(1), salt=more), tmp_path / "case.zip", complete=True)
    members = contents(path)
    salt = b64decode(members["matching/salts.txt"])
    moved = {"salts.txt": b64encode(salt[:15]) + b"\n", "events.ndjson": b" " + members["matching/events.ndjson"]}
    rewritten(path, {**members, **{f"{group}/{name}": text for group in ("matching", "range") for name, text in moved.items()}})
    with pytest.raises(Unproven, match="a salt has 16 bytes, this has 15"):
        check(path)


@pytest.mark.parametrize("packing", [ZIP_LZMA, ZIP_BZIP2])
def test_members_are_packed_as_they_are_written_and_not_otherwise(packing: int, tmp_path: Path) -> None:
    path = made(Paper(events(9)), tmp_path / "case.zip", BILLED)
    members = contents(path)
    with ZipFile(path, "w", packing) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    with pytest.raises(Malformed, match="packed in another way"):
        check(path)


def test_a_member_that_only_some_programs_see_is_found_out(tmp_path: Path) -> None:
    """Programs that read a zip file from its beginning know nothing of the list at its end."""
    path = made(Paper(events(9)), tmp_path / "case.zip", BILLED)
    whole = path.read_bytes()
    hidden = io.BytesIO()
    with ZipFile(hidden, "w") as zipped:
        zipped.writestr("report.html", b"<p>nothing of the kind</p>")
        at = zipped.start_dir
    with ZipFile(path) as zipped:
        start = zipped.start_dir
    member, offset = hidden.getvalue()[:at], whole.rindex(b"PK\5\6") + 16
    later = (start + len(member)).to_bytes(4, "little")
    for changed in (
        member + whole,  # before all others
        whole[:start] + member + whole[start:offset] + later + whole[offset + 4 :],  # behind them
        whole[:-2] + len(hidden.getvalue()).to_bytes(2, "little") + hidden.getvalue(),  # in the comment
    ):
        path.write_bytes(changed)
        assert ZipFile(path).namelist() == ZipFile(io.BytesIO(whole)).namelist() or changed.endswith(hidden.getvalue())
        with pytest.raises(Unproven, match="of no member"):
            check(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_among_very_many_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    with ZipFile(path, "w") as zipped:
        for at in (*range(60_000), 59_999):
            zipped.writestr(f"{at}", b"")
    with pytest.raises(Unproven, match="'59999' is in the file twice"):
        check(path)
