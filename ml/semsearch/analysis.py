"""Text to terms, as Lucene's ``standard`` and ``english`` analysers do.

Words by the rules of UAX #29 that matter in Western text: letters, digits and ``_``; an apostrophe, dot or colon
between letters and a dot, comma or semicolon between digits do not end a word. ``english`` also drops a possessive
``'s`` and Lucene's 33 stop words, and takes Porter's stem.
"""

from __future__ import annotations

import re
from functools import cache

from hwsim.ir.errors import UsageError

ANALYZERS = ("english", "standard")
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they "
        "this to was will with",
    )
)
_WORD = re.compile(r"(?:\w|(?<=[^\W\d_])['’.:·](?=[^\W\d_])|(?<=\d)['’.,;](?=\d))+")
_POSSESSIVE = re.compile(r"['’][sS]$")
_BLI = re.compile(r"(.*[aeiouy][^aeiouy].*)(?:bly|bli|blies)$")  # only after a vowel and a consonant: m > 0
_LOGI = re.compile(r"(.*[aeiouy][^aeiouy].*)(?:logy|logi|logies)$")
_LONGEST = 255  # StandardTokenizer cuts longer words


def terms(text: str, analyzer: str = "english") -> list[str]:
    """Terms of a text in order.

    Raises:
        UsageError: another analyser.

    Example:
        >>> terms("The plate's flows, at 3.5 Mach")
        ['plate', 'flow', '3.5', 'mach']
        >>> terms("The plate's flows", "standard")
        ['the', "plate's", 'flows']
    """
    if analyzer not in ANALYZERS:
        raise UsageError.of("analyzer", repr(analyzer), f"one of {', '.join(ANALYZERS)}", "Choose one of them.")
    words = [word[i : i + _LONGEST] for word in _WORD.findall(text) for i in range(0, len(word), _LONGEST)]
    if analyzer == "standard":
        return [word.lower() for word in words]
    kept = (_POSSESSIVE.sub("", word).lower() for word in words)
    return [_stem(word) for word in kept if word and word not in STOP_WORDS]


@cache
def _stem(word: str) -> str:
    """Porter's stem with the two departures of his own program that Lucene has: bli → ble, logi → log."""
    if len(word) < 3:
        return word
    word = _LOGI.sub(r"\1log", _BLI.sub(r"\1ble", word))
    return _stemmer().stemWord(word)


@cache
def _stemmer():
    import snowballstemmer

    return snowballstemmer.stemmer("porter")
