"""Schemathesis on the OpenAPI document that a running server shows: what the document promises is what comes."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def contract(url: str, count: int, number: int) -> int:
    """About `count` requests, spread over all operations; how many operations there are. Raises what a check raises."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:

        @seed(number)
        @settings(
            max_examples=max(count // len(operations), 1),
            deadline=None,
            database=None,
            verbosity=Verbosity.quiet,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        check()
    return len(operations)
