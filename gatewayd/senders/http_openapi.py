"""The description of the HTTP API, OpenAPI 3.1: its schemas are made of the types by which calls are read and written.

Says what the API is; does none of it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

import gatewayd
from gatewayd.senders import http_shapes as shapes
from gatewayd.senders.http_problems import CONTENT_TYPE, KINDS, ProblemDocument

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_TYPES: Final = (
    shapes.Send,
    shapes.Batch,
    shapes.Taken,
    shapes.BatchResult,
    shapes.MessageState,
    shapes.Cancelled,
    shapes.Sessions,
    shapes.Capability,
    ProblemDocument,
)
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A key of your own for this call. The same message to the same recipient under the same key is "
    "taken once, however often it comes (http.idempotency_h). In a batch each message has the key and its place.",
    "schema": {"type": "string", "maxLength": shapes.IDEMPOTENCY_KEY_MAX, "pattern": "^[!-~]+$"},
}
_COMMON: Final = ("unauthorized", "address-not-allowed", "insufficient-scope", "rate-limited", "too-many-failures")
_BODY: Final = ("bad-json", "bad-request", "timeout", "body-too-large", "unsupported-media-type", "bad-shape")
_SENDING: Final = (
    *_BODY,
    "sender-not-allowed",
    "class-not-allowed",
    "invalid-destination",
    "invalid-sender",
    "invalid-text",
    "invalid-content",
    "invalid-template",
    "invalid-schedule",
    "invalid-validity",
    "no-route",
    "idempotency-key-reused",
    "refused",
    "busy",
    "not-confirmed",
)
_RATE_HEADERS: Final = MappingProxyType(
    {
        "RateLimit": {"description": "What may be sent now.", "schema": {"type": "string"}},
        "RateLimit-Policy": {"description": "The account's pace.", "schema": {"type": "string"}},
    }
)


@functools.cache
def described() -> dict[str, Any]:
    """The document."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gatewayd",
            "version": gatewayd.__version__,
            "description": "Messages to handsets, by RCS where they take it and by SMS where they don't.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": {**_messages(), **_asking(), **_about()},
        "components": {
            "schemas": {**schemas, "ProblemDocument": _problem(schemas["ProblemDocument"])},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "Made with: gatewayd accounts key"}
            },
        },
    }


def _problem(schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"type": "string", "enum": [f"/docs#{name}" for name in KINDS]}
    return {**schema, "properties": {**schema["properties"], "type": kind}}


def _messages() -> dict[str, Any]:
    parameter = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": shapes.ID_PATTERN},
    }
    return {
        "/v1/messages": {
            "post": _operation(
                "sendMessage",
                "Send one message. 202 says that it is on disk, and the gateway's to deliver.",
                body="Send",
                parameters=[_KEY_HEADER],
                answers={202: "Taken"},
                problems=_SENDING,
                links=("getMessage", "cancelMessage"),
            )
        },
        "/v1/messages/batch": {
            "post": _operation(
                "sendBatch",
                "Send many messages, each with a result of its own, in their order.",
                body="Batch",
                parameters=[_KEY_HEADER],
                answers={200: "BatchResult"},
                problems=(*_BODY, "batch-too-large"),
            )
        },
        "/v1/messages/{id}": {
            "get": _operation(
                "getMessage",
                "What is known of a message, also for a while after its end (http.results_h).",
                parameters=[parameter],
                answers={200: "MessageState"},
                problems=("not-found", "busy"),
            ),
            "delete": _operation(
                "cancelMessage",
                "Take a message back. What an RCS platform has is revoked (202); an SMS carrier keeps it (409).",
                parameters=[parameter],
                answers={200: "Cancelled", 202: "Cancelled"},
                problems=("not-found", "too-late", "busy"),
            ),
        },
    }


def _asking() -> dict[str, Any]:
    number = {"type": "string", "pattern": shapes.NUMBER_PATTERN}
    return {
        "/v1/sessions": {
            "get": _operation(
                "getSessions",
                "Open conversations of the account with a handset. With `from`, only that sender's, which is quicker.",
                parameters=[
                    {"name": "handset", "in": "query", "required": True, "schema": number},
                    {"name": "from", "in": "query", "schema": {"type": "string"}},
                ],
                answers={200: "Sessions"},
                problems=("bad-request", "busy"),
            )
        },
        "/v1/capabilities/{number}": {
            "get": _operation(
                "getCapability",
                "Whether a number takes RCS, as far as it is known. With `ask`, platforms are asked that were not yet, "
                "and waited for a few seconds: 202 says that an answer is still to come.",
                parameters=[
                    {"name": "number", "in": "path", "required": True, "schema": number},
                    {
                        "name": "ask",
                        "in": "query",
                        "description": "Ask platforms about a number that is not known, within their quotas.",
                        "schema": {"type": "boolean", "default": False},
                    },
                ],
                answers={200: "Capability", 202: "Capability"},
                problems=("bad-request", "busy"),
            )
        },
    }


def _about() -> dict[str, Any]:
    return {
        "/openapi.json": {"get": _open("getDescription", "This description.", _JSON)},
        "/docs": {"get": _open("getPage", "The same to be read.", "text/html")},
        "/healthz": {"get": _open("getHealth", "The process lives.", "text/plain")},
        "/readyz": {
            "get": _open("getReadiness", "It can take messages, and bring them on their way.", "text/plain", 503)
        },
    }


def _open(name: str, summary: str, content_type: str, *more: int) -> dict[str, Any]:
    kind = {"type": "object"} if content_type == _JSON else {"type": "string"}
    content = {content_type: {"schema": kind}}
    answers = {
        str(status): {"description": summary if status == 200 else "Not now.", "content": content}
        for status in (200, *more)
    }
    return {"operationId": name, "summary": summary, "security": [], "responses": answers}


def _operation(
    name: str,
    summary: str,
    *,
    answers: Mapping[int, str],
    problems: Sequence[str],
    parameters: Sequence[Mapping[str, Any]] = (),
    body: str = "",
    links: Sequence[str] = (),
) -> dict[str, Any]:
    responses: dict[str, dict[str, Any]] = {
        str(status): {"description": shape, "headers": dict(_RATE_HEADERS), "content": _content(_JSON, shape)}
        for status, shape in answers.items()
    }
    if links:
        which = {"id": "$response.body#/id"}
        responses["202"]["links"] = {name: {"operationId": name, "parameters": which} for name in links}
    by_status: dict[int, list[str]] = {}
    for problem in (*_COMMON, *problems):
        by_status.setdefault(KINDS[problem].status, []).append(problem)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = {
            "description": ", ".join(kinds),
            "content": _content(CONTENT_TYPE, "ProblemDocument"),
        }
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = list(parameters)
    if body:
        operation["requestBody"] = {"required": True, "content": _content(_JSON, body)}
    return operation


def _content(content_type: str, shape: str) -> dict[str, Any]:
    return {content_type: {"schema": {"$ref": _REF.format(name=shape)}}}
