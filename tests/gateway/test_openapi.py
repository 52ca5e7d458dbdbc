"""The gateway keeps what its OpenAPI document promises, whatever it is sent."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from orchestrator.gateway.openapi import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
SCHEMA = schemathesis.openapi.from_dict(document("0"))
BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)  # of a path without a body nothing could be wrong
OPERATIONS = [
    (path, method, mode)
    for path, methods in document("0")["paths"].items()
    for method in methods
    for mode in (BOTH if method == "post" else BOTH[:1])
]


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_path_answers_as_documented(path, method, mode, threaded_gateway):
    """Valid and invalid requests get a documented status in the documented form, and never a 500."""

    @seed(1)
    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode))
    def fuzz(case):
        case.call_and_validate(base_url=threaded_gateway, checks=CHECKS)

    fuzz()
