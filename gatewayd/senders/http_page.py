"""The description of the HTTP API as one page for people: no scripts, no resources from elsewhere.

Reads the description; knows nothing that does not stand there, but the problems.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import Any, Final

from gatewayd.senders.http_openapi import described
from gatewayd.senders.http_problems import KINDS

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
)
_ELSEWHERE: Final = '<a href="/openapi.json">openapi.json</a> says the same to programs.'
_MANNERS: Final = """Every call under `/v1` bears a key: `Authorization: Bearer gwk_…`. Bodies are JSON. `RateLimit` is
what the account may send now. A call that was not answered is safe to repeat under its `Idempotency-Key`."""
_ABOUT_PROBLEMS: Final = """What goes wrong is answered as `application/problem+json` (RFC 9457). A `type` keeps its
meaning for ever; `reason` is a word for your log."""
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60646c; --line: #d9d9e0; --soft: #f6f6f8; --mark: #0b68cb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --dim: #b0b4ba; --line: #363a3f; --soft: #202225; --mark: #70b8ff; }
  body { background: #18191b; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 0 auto; }
body { padding: 1rem 1.25rem 4rem; }
h1 { margin: 1rem 0 0; } h2 { margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { margin: 2rem 0 .25rem; overflow-wrap: anywhere; } h4 { margin: 1rem 0 .25rem; }
code { font: .9em ui-monospace, monospace; background: var(--soft); border-radius: 4px; padding: .1em .3em; }
h3 code { background: none; padding: 0; }
.method { color: var(--mark); font: 600 .9em ui-monospace, monospace; }
p { margin: .25rem 0 .75rem; } .dim { color: var(--dim); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .25rem 0 1rem; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; } td:first-child code { white-space: nowrap; }
a { color: var(--mark); } nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; }
"""


@functools.cache
def page() -> str:
    """The page."""
    document = described()
    info = document["info"]
    body = "\n".join(
        [
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f'<p class="dim">{escape(info["description"])} {_ELSEWHERE}</p>',
            '<nav><a href="#calls">Calls</a><a href="#shapes">Shapes</a><a href="#problems">Problems</a></nav>',
            f"<p>{_words(_MANNERS)}</p>",
            '<h2 id="calls">Calls</h2>',
            *_calls(document["paths"]),
            '<h2 id="shapes">Shapes</h2>',
            *_shapes(document["components"]["schemas"]),
            '<h2 id="problems">Problems</h2>',
            f"<p>{_words(_ABOUT_PROBLEMS)}</p>",
            _table(
                ("type", "status", "means"),
                [
                    (f'<code id="{name}">/docs#{name}</code>', str(kind.status), _words(kind.title))
                    for name, kind in KINDS.items()
                ],
            ),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: HTTP API</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _calls(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, call in methods.items():
            yield (
                f'<h3 id="{escape(call["operationId"])}"><span class="method">{method.upper()}</span> '
                f"<code>{escape(path)}</code></h3>"
            )
            yield f"<p>{_words(call['summary'])}</p>"
            if call.get("parameters"):
                yield _table(
                    ("parameter", "in", "type", "means"),
                    [
                        (
                            f"<code>{escape(one['name'])}</code>{'' if one.get('required') else ' (optional)'}",
                            one["in"],
                            _kind(one["schema"]),
                            _words(one.get("description", "")),
                        )
                        for one in call["parameters"]
                    ],
                )
            if "requestBody" in call:
                yield f"<p>Body: {_shape_of(call['requestBody'])}</p>"
            yield _table(
                ("answer", "body", "when"),
                [
                    (status, _shape_of(one), "" if status.startswith("2") else _problems(one["description"]))
                    for status, one in call["responses"].items()
                ],
            )


def _problems(words: str) -> str:
    names = words.split(", ")
    if not all(name in KINDS for name in names):
        return _words(words)
    return ", ".join(f'<a href="#{name}">{name}</a>' for name in names)


def _shape_of(holder: Mapping[str, Any]) -> str:
    return ", ".join(_kind(one["schema"]) for one in holder.get("content", {}).values())


def _shapes(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<h3 id="shape-{escape(name)}"><code>{escape(name)}</code></h3>'
        if schema.get("description"):
            yield f"<p>{_words(schema['description'])}</p>"
        if "properties" not in schema:
            yield f"<p>{_kind(schema)}</p>"
            continue
        required = schema.get("required", ())
        yield _table(
            ("field", "type", "means"),
            [
                (
                    f"<code>{escape(field)}</code>{'' if field in required else ' (optional)'}",
                    _kind(kind),
                    _words(_meaning(kind)),
                )
                for field, kind in schema["properties"].items()
            ],
        )


def _meaning(schema: Mapping[str, Any]) -> str:
    """What a field's own words say, or those of its type beside null."""
    own: str = schema.get("description", "")
    return own or next((one["description"] for one in schema.get("anyOf", ()) if "description" in one), "")


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several] if one.get("type") != "null")
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [
        f"{word} {schema[key]:,}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if key in schema
    ]
    if "maxLength" in schema:
        bounds.append(f"at most {schema['maxLength']} characters")
    return escape(" ".join([schema.get("format", kind), *bounds]))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not any(row[-1] for row in rows):  # nothing is said of any
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    head = "".join(f"<th>{word}</th>" for word in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _words(text: str) -> str:
    """Words with what stands between backticks as code."""
    parts = escape(" ".join(text.replace("``", "`").split())).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
