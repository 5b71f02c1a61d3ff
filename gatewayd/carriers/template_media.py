"""The local files that a template names: which they are, and what is wrong with them.

Opens no file: it is told which there are. Judges nothing else of a template.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatewayd.config.faults import Findings, guess, shown
from protocol.rcs.files import MEDIA_TYPES, local_name, media_type_of
from protocol.rcs.limits import Limits

SIZE_MAX: Final = Limits().file_size_max


def read_local_files(content: Any, media: Mapping[str, int], findings: Findings) -> dict[str, str]:
    """The media types of the local files in a tree of content, by their names.

    ``media`` are the files that there are, with their sizes in octets.
    """
    found: dict[str, str] = {}
    for key, node, name in _named(content or {}, "content"):
        mime_type = node.get("mime_type") or media_type_of(name)
        if "{" in name or "}" in name:
            findings.fault(f"{key}.url", "a local file is named by a placeholder", "write its whole name")
        elif name not in media:
            remedy = guess(name, media) if media else "name the folder that holds it in rcs.media_dir"
            findings.fault(f"{key}.url", f"there is no file {shown(name)} in rcs.media_dir", remedy)
        elif not 0 < media[name] <= SIZE_MAX:
            problem = f"{name} has {media[name]} octets"
            findings.fault(f"{key}.url", problem, f"platforms take 1 to {SIZE_MAX}")
        elif mime_type not in MEDIA_TYPES:
            problem = f"{shown(mime_type)} is no media type that platforms take" if mime_type else "is missing"
            remedy = guess(str(mime_type), MEDIA_TYPES) if mime_type else f"the name {name} does not tell it"
            findings.fault(f"{key}.mime_type", problem, remedy)
        elif found.setdefault(name, mime_type) != mime_type:
            findings.fault(f"{key}.mime_type", f"{name} has another one above", "give the same everywhere")
    return found


def _named(tree: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Every table that says where a file comes from, if that is a local one. Where a button leads is none."""
    match tree:
        case dict():
            url = tree.get("url")
            if isinstance(url, str) and (name := local_name(url)):
                yield key, tree, name
            for word, value in tree.items():
                if word != "suggestions":
                    yield from _named(value, f"{key}.{word}")
        case list():
            for index, value in enumerate(tree):
                yield from _named(value, f"{key}[{index}]")
