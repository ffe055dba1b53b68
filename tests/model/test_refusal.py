from time import process_time

import pytest

from indelible.model.event import Limits
from indelible.model.refusal import faults_of

LIMITS = Limits()
HEAD = b'{"type":"payment.charged","source":"paymentservice"'
MEMBERS = "type, source, id, time, outcome, targets, where, actor, context, trace, producer, schema, labels, data"


@pytest.mark.parametrize(
    ("rest", "pointer", "sentence"),
    [
        (b',"actor":{"id":42}', "#/actor/id", 'actor.id must be text: write "42" instead of 42'),
        (b',"schema":true', "#/schema", 'schema must be text: write "true" instead of true'),
        (b',"actor":"u-1"', "#/actor", 'actor must be an object: write {"id": "u-1"} instead of "u-1"'),
        (b',"where":[]', "#/where", 'where must be an object such as {"host": "…"}, not a list: []'),
        (
            b',"time":1732300000',
            "#/time",
            'time must be text, and 1732300000 is a number of seconds since 1970: write "2024-11-22T18:26:40Z"',
        ),
        (
            b',"time":1732300000123',
            "#/time",
            'time must be text, and 1732300000123 is a number of milliseconds since 1970: write "2024-11-22T18:26:40.123000Z"',
        ),
        (b',"time":-1', "#/time", 'time must be text such as "2026-11-23T09:30:00Z", not -1'),
        (b',"time":""', "#/time", 'time "" is not an RFC 3339 time: write it like "2026-11-23T09:30:00Z"'),
        (b',"outcome":"success"', "#/outcome", 'outcome must be an object: write {"result": "success"} instead of "success"'),
        (b',"outcome":"failed"', "#/outcome", 'outcome must be an object: write {"result": "failure"} instead of "failed"'),
        (
            b',"outcome":{"result":"SUCESS"}',
            "#/outcome/result",
            'outcome.result "SUCESS" is none of success, failure, denied, unknown, pending: write "success"',
        ),
        (
            b',"outcome":{"result":"great"}',
            "#/outcome/result",
            'outcome.result "great" is none of success, failure, denied, unknown, pending',
        ),
        (
            b',"outcome":{"result":[1]}',
            "#/outcome/result",
            "outcome.result [1] is none of success, failure, denied, unknown, pending",
        ),
        (b',"labels":{"n":5}', "#/labels/n", 'labels.n must be text: write "5" instead of 5'),
        (b',"labels":{"n":null}', "#/labels/n", "labels.n must be text, not null: leave the label out if it has no value"),
        (b',"labels":["a"]', "#/labels", 'labels must be an object of texts such as {"team": "payments"}, not ["a"]'),
        (b',"targets":{"id":"o-1"}', "#/targets", 'targets must be a list: write [{"id": "o-1"}], one object in brackets'),
        (b',"targets":"o-1"', "#/targets", 'targets must be a list of objects: write [{"id": "o-1"}] instead of "o-1"'),
        (b',"targets":["o-1"]', "#/targets/0", 'targets.0 must be an object: write {"id": "o-1"} instead of "o-1"'),
        (b',"timestamp":"x"', "#/timestamp", "timestamp is unknown: did you mean time?"),
        (b',"User":"x"', "#/User", "User is unknown: did you mean actor?"),
        (b',"payload":{}', "#/payload", "payload is unknown: did you mean data?"),
        (b',"labls":{}', "#/labls", "labls is unknown: did you mean labels?"),
        (
            b',"correlation_id":"x"',
            "#/correlation_id",
            'correlation_id is unknown: did you mean trace? Write it as {"trace": {"correlation_id": …}}',
        ),
        (b',"foo":1', "#/foo", f"foo is unknown: an event has {MEMBERS}; what is your own goes into data"),
        (b',"record":{}', "#/record", "record is what the service adds when an event is read back: leave it out"),
        (b',"actor":{"idd":"x"}', "#/actor/idd", "actor.idd is unknown: did you mean actor.id?"),
        (
            b',"actor":{"email":"x"}',
            "#/actor/email",
            "actor.email is unknown: actor has type, id, name, on_behalf_of; what is your own goes into data",
        ),
        (b',"id":""', "#/id", "id is empty: leave it out to have one assigned"),
        (rb',"\u0069d":"x","id":"y"', "#/id", "id stands twice: which one counts would be a guess"),
        (rb',"schema":"\u0000"', "#/schema", "schema holds U+0000, which some stores cannot keep: only data may hold it"),
        (
            rb',"labels":{"a/b ~\u0000":"c"}',
            "#/labels/a~1b%20~0%00",
            'the label\'s name "a/b ~\\u0000" holds U+0000, which some stores cannot keep: only data may hold it',
        ),
        (rb',"schema":"\ud800"', "#/schema", "schema holds \\ud800, half of a surrogate pair: it stands for no character"),
        (rb',"data":"\ud800"', "#", "at byte 60 stands \\ud800, half of a surrogate pair: it stands for no character"),
        (b',"data":"\xff"', "#", "not UTF-8: byte 60 is 0xff, invalid start byte"),
        (b',"data":"\x01"', "#", 'not JSON: byte 60 is a raw control character, "\\u0001\\"}": escape it'),
        (b',"data":NaN', "#", "not JSON: NaN is no JSON number; write null, or the name as text"),
        (b',"data":01', "#", "not JSON: expecting ',' delimiter at byte 60, where `1}` stands"),
        (b"} {", "#", "more than one JSON value: another begins at byte 53 with `{}`: send one event a line"),
        (
            b',"data":{',
            "#",
            "not JSON: it ends inside a value, after 61 bytes: an event stands whole on one line, not spread over several",
        ),
        (
            b',"data":' + b"[" * 64 + b"]" * 64,
            "#",
            "nested 65 levels deep, more than 64: flatten it, or send the inner part as text",
        ),
        (
            b',"producer":{"sequence":0}',
            "#/producer/sequence",
            "producer.sequence must be a whole number from 1 to 9223372036854775807, not 0",
        ),
        (b',"producer":{"sequence":"7"}', "#/producer/sequence", 'producer.sequence must be a number: write 7 instead of "7"'),
        (b',"producer":{"last":"true"}', "#/producer/last", 'producer.last must be true or false, not "true"'),
        (b',"targets":[' + b",".join([b"{}"] * 65) + b"]", "#/targets", "targets has 65 elements, more than 64: send several events"),
        (
            b',"labels":{' + b",".join(b'"%d":""' % n for n in range(65)) + b"}",
            "#/labels",
            "labels has 65 members, more than 64: what is more goes into data",
        ),
    ],
)
def test_a_fault_names_the_pointer_the_value_and_the_right_form(rest: bytes, pointer: str, sentence: str) -> None:
    (fault,) = faults_of(HEAD + rest + b"}", LIMITS)
    assert (fault.pointer, fault.detail) == (pointer, sentence)


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (
            b"{}",
            [
                'type is missing: every event has one, such as "customer.billed"',
                'source is missing: every event has one, such as "billing"',
            ],
        ),
        (
            b'{"type":null,"source":""}',
            ['type must be text, such as "customer.billed", not null', 'source is empty: write one such as "billing"'],
        ),
        (rb'{"type":"a\u0085","source":"b"}', ['type "a\\u0085" holds the control character U+0085: leave it out']),
        (
            b'{"type":"indelible.x","source":"b"}',
            ['type "indelible.x" is the service\'s own: types under `indelible.` are not taken from outside'],
        ),
        (b'{"type":"' + b"x" * 257 + b'","source":"b"}', ['type has 257 characters, more than 256: "' + "x" * 59 + "…"]),
        (b"[1]", ["an event is a JSON object, not a list: [1]"]),
        (b"5", ["an event is a JSON object, not a number: 5"]),
        (b"hello", ["not JSON: expecting value at byte 0, where `hello` stands"]),
        (
            b'{"event":"x","service":"y"}',
            [
                "event is unknown: did you mean type?",
                "service is unknown: did you mean source?",
                'type is missing: every event has one, such as "customer.billed"',
                'source is missing: every event has one, such as "billing"',
            ],
        ),
    ],
)
def test_all_that_is_wrong_is_said_at_once(line: bytes, sentences: list[str]) -> None:
    assert [fault.detail for fault in faults_of(line, LIMITS)] == sentences


def test_a_good_event_has_no_faults() -> None:
    assert faults_of(HEAD + b"}", LIMITS) == []


def test_an_event_over_the_limit_is_not_looked_at() -> None:
    (fault,) = faults_of(b"x" * 101, Limits(event_bytes=100))
    assert fault.detail == "the event has 101 bytes, more than 100: keep large documents elsewhere and their digest in data"


MEBIBYTE = (1 << 20) - 200


@pytest.mark.parametrize(
    "rest",
    [
        b"".join(b',"x%d":1' % n for n in range(80_000)),
        b',"id":"x"' * 100_000,
        b',"data":[' + b"{}," * (MEBIBYTE // 3) + b'1],"x":1',
        b',"data":[' + b"[]," * (MEBIBYTE // 3) + b'1],"x":1',
        b',"data":[' + b'"",' * (MEBIBYTE // 3) + b'1],"x":1',
        b',"data":"' + rb"\n" * (MEBIBYTE // 2) + rb'\ud800"',
        b',"labels":{' + b'"a":"",' * (MEBIBYTE // 7) + b'"b":""},"id":""',
        b',"targets":[{"changes":[' + b"{}," * (MEBIBYTE // 3) + b'{"path":"x","path":"y"}]}]',
        b',"producer":{"sequence":' + b"9" * MEBIBYTE + b"}",
        b',"data":' + b"[" * MEBIBYTE,
        b',"data":' + b"[" * 700 + b"]" * 700,
        b',"' + b"x" * MEBIBYTE + b'":1',
    ],
    ids=range(12),
)
def test_a_hostile_mebibyte_is_refused_in_a_moment_and_few_words(rest: bytes) -> None:
    line = HEAD + rest + b"}"
    assert len(line) <= LIMITS.event_bytes
    began = process_time()
    faults = faults_of(line, LIMITS)
    assert process_time() - began < 1.5  # some 50 ms as a rule; what this forbids is the quadratic
    assert 1 <= len(faults) <= 20 and all(len(fault.detail) < 400 and len(str(fault.pointer)) < 400 for fault in faults)
