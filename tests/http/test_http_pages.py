"""The pages, the document they are made from, and what machines ask about the process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_fakes import assert_problem, row, server

from indelible import errors
from indelible.errors import Busy, IndelibleError, JournalFailed, NotFound
from indelible.http.about.meanings import BY_NAME, MEANINGS
from indelible.http.app import routes
from indelible.http.metrics import Metrics
from indelible.http.problems import Problem
from indelible.model.durations import BUCKETS
from indelible.model.query import FIELDS

PAGES = ("/", "/docs", "/problems/conflict")
DOCUMENT = Path(__file__).parents[2] / "docs" / "http-api.md"


def document() -> Any:
    return server().ask("/openapi.json").json


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def test_the_document_has_every_route_and_no_other() -> None:
    served = {(re.sub(r":\w+}", "}", route.path), method.lower()) for route in routes() for method in (route.methods or set()) - {"HEAD"}}
    named = {(path, method) for path, item in document()["paths"].items() for method in item}
    assert served == named


def test_every_reference_in_the_document_leads_somewhere_and_every_part_is_used() -> None:
    made = document()
    found = references(made)
    for reference in found:
        node = made
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part]
    parts = {f"#/components/{kind}/{name}" for kind in ("schemas", "parameters") for name in made["components"][kind]}
    assert parts == found


def test_every_operation_is_complete() -> None:
    made = document()
    operations = [(path, each) for path, item in made["paths"].items() for each in item.values()]
    ids = [each["operationId"] for _, each in operations]
    assert len(ids) == len(set(ids))
    for path, each in operations:
        assert each["summary"] and each["x-curl"].startswith("curl ")
        parameters = [made["components"]["parameters"][one["$ref"].rpartition("/")[2]] for one in each["parameters"]]
        in_path = [one["name"] for one in parameters if one["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path)
        assert len({(one["in"], one["name"]) for one in parameters}) == len(parameters)
        assert "500" in each["responses"]
        assert ("401" in each["responses"]) == bool(each["security"])
        for status, answer in each["responses"].items():
            assert (status < "400") != ("application/problem+json" in answer["content"])


def test_every_filter_is_in_the_document() -> None:
    made = document()
    for path in ("/v1/events", "/v1/count", "/v1/logs/{log}/events"):
        names = {each["$ref"].rpartition("/")[2] for each in made["paths"][path]["get"]["parameters"]}
        assert {*FIELDS, "labels", "since", "until"} <= names


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_other_host_and_runs_no_script(path: str) -> None:
    answer = server([row(0)]).ask(path)
    text = answer.body.decode()
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert not re.search(r"<(script|link|img|iframe|object|embed|form)\b|@import|url\(|javascript:|<[^>]*\son\w+=", text, re.I)
    assert all(link.startswith(("/", "#")) for link in re.findall(r"""(?:href|src)=["']?([^"'\s>]*)""", text))
    policy = answer.header("content-security-policy")
    assert policy and policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


HOSTILE = "<script>alert(1)</script>\"'&"


def test_the_first_page_shows_the_last_twenty_events_and_escapes_all_of_them() -> None:
    hostile = json.dumps({"type": HOSTILE, "source": HOSTILE, "actor": {"id": HOSTILE}, "data": {"keep": "data-is-not-shown"}})
    web = server([*(row(index) for index in range(29)), row(29, hostile), row(30, b'{"type":1}')])
    text = web.ask("/").body.decode()
    assert re.findall(r"/entries/(\d+)\"", text) == [str(index) for index in range(30, 10, -1)]
    assert "<script" not in text and text.count("&lt;script&gt;") == 3
    assert "data-is-not-shown" not in text
    assert "2023-11-14T22:13:20.000029Z" in text


def test_the_first_page_says_why_it_shows_no_events() -> None:
    assert b"None yet" in server().ask("/").body
    web = server([row(0)])
    web.recorder.ready = False
    assert b"replayed" in web.ask("/").body
    assert b"Some could not be read" in server([row(0)], complete=False).ask("/").body


def test_the_docs_name_every_path_status_and_example() -> None:
    made = document()
    text = server().ask("/docs").body.decode()
    for path, item in made["paths"].items():
        for method, each in item.items():
            assert f"<code>{method.upper()} {path}</code>" in text
            assert f'id="{each["operationId"]}"' in text
    for target in re.findall(r'href="#(\w+)"', text):
        assert f'id="{target}"' in text
    assert "curl --json &#x27;{&quot;type&quot;" in text


def test_every_problem_that_http_gives_has_its_page() -> None:
    made = document()
    named = {
        name
        for item in made["paths"].values()
        for each in item.values()
        for status, answer in each["responses"].items()
        if status >= "400"
        for name in re.findall(r"(?:^|; )([a-z-]+): ", answer["description"])
    }
    assert named <= set(BY_NAME)
    ours = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, IndelibleError)}
    with_status = {each for each in ours if each.status != 500}
    assert with_status <= set(MEANINGS)
    for name, error in BY_NAME.items():
        answer = server().ask(f"/problems/{name}")
        assert answer.status == 200 and str(error.status) in answer.body.decode()
    assert_problem(server().ask("/problems/nope"), NotFound, "conflict")
    assert Problem.__struct_fields__[:5] == ("type", "title", "status", "detail", "errors")


READY = {"status": "ready", "checks": {"replayed": "ok", "journal": "ok", "loader": "ok"}}


def test_health_and_readiness_are_two_questions() -> None:
    web = server()
    assert (web.ask("/healthz").json, web.ask("/readyz").json) == ({"status": "up"}, READY)
    web.recorder.ready = False
    assert web.ask("/healthz").status == 200
    answer = web.ask("/readyz")
    assert_problem(answer, Busy)
    assert answer.header("retry-after")
    web.recorder.ready, web.recorder.failed = True, True
    assert_problem(web.ask("/readyz"), JournalFailed)


def test_metrics_are_prometheus_text_without_anything_from_an_event() -> None:
    web = server([row(0, '{"type":"customer.billed","source":"billing"}', id="the-id")])
    web.recorder.folded = 5
    web.service.metrics.recorded(stored=3, duplicates=1, conflicts=1, refused=2, octets=900, seconds=0.004)
    web.service.metrics.recorded(stored=1, duplicates=0, conflicts=0, refused=0, octets=100, seconds=9.0)
    web.service.metrics.refused(4)
    web.service.metrics.answered(201)
    answer = web.ask("/metrics")
    lines = answer.body.decode().splitlines()
    for line in (
        'indelible_answers_total{class="2xx"} 1',
        'indelible_events_total{result="stored"} 4',
        'indelible_events_total{result="refused"} 6',
        "indelible_event_bytes_total 1000",
        'indelible_receipt_seconds_bucket{le="0.0025"} 0',
        'indelible_receipt_seconds_bucket{le="0.005"} 1',
        'indelible_receipt_seconds_bucket{le="+Inf"} 2',
        "indelible_receipt_seconds_sum 9.004",
        "indelible_receipt_seconds_count 2",
        "indelible_journal_position 5",
        "indelible_ready 1",
        'indelible_log_entries{log="default"} 1',
        "indelible_checkpoints_total 7",
        "indelible_checkpoint_syncs_total 2",
        'indelible_log_published{log="default"} 3',
    ):
        assert line in lines
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert not re.search("customer|billing|the-id", answer.body.decode())
    assert all(re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+({\w+="[^"]+"})? [0-9.e+-]+', line) for line in lines)


def test_a_wait_falls_into_the_first_bucket_that_holds_it() -> None:
    made = Metrics()
    for bound in BUCKETS:
        made.recorded(1, 0, 0, 0, 0, bound)
    assert made.waits.counts == [1] * len(BUCKETS) + [0]


def test_the_written_interface_names_every_route_problem_and_status() -> None:
    text = DOCUMENT.read_text()
    for path in document()["paths"]:
        assert path in text or path.replace("/v1/logs/{log}/", "/v1/", 1) in text, path
    for error in MEANINGS:
        assert f"`{error.name}`" in text and str(error.status) in text, error
    for name in (*FIELDS, "since", "until", "limit", "cursor", "on_error", "Idempotency-Key"):
        assert name.rpartition(".")[2] in text


def test_the_written_interface_shows_a_problem_as_it_is() -> None:
    target, shown = re.findall(r"\$ curl 'http://127.0.0.1:8080(/v1/count\?actor=42)'\n(.*)\n", DOCUMENT.read_text())[0]
    assert server().ask(target).body.decode() == shown
