"""Where a text may be cut without dividing what people see as one character."""

from __future__ import annotations

import pytest

from protocol.smpp.graphemes import cluster_ends


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", []),
        ("abc", [1, 1, 1]),
        ("a\r\nb", [1, 2, 1]),
        ("e\u0301x", [2, 1]),
        ("🇫🇷🇩🇪🇫", [2, 2, 1]),  # flags are pairs, from the first on
        ("👨\u200d👩\u200d👧x", [5, 1]),
        ("1\ufe0f\u20e32", [3, 1]),  # a keycap
        ("👍🏽a", [2, 1]),
        ("\u1100\u1161\u11a8\u1100", [3, 1]),  # a Hangul syllable of jamo
        ("क्षि", [4]),  # a conjunct
        ("🏴\U000e0067\U000e0062\U000e007f!", [4, 1]),  # a flag of tags
    ],
)
def test_clusters(text: str, sizes: list[int]) -> None:
    ends = cluster_ends(text)
    assert [end - start for start, end in zip([0, *ends], ends, strict=False)] == sizes
