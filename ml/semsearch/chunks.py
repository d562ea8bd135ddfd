"""Long documents as passages: whole sentences up to a number of words, with an overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hwsim.ir.errors import UsageError

WORDS, OVERLAP = 180, 30  # 180 English words are about 256 tokens, MiniLM's limit
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n{2,}")


def chunks(text: str, words: int = WORDS, overlap: int = OVERLAP) -> list[str]:
    """Passages of at most `words` words, cut between sentences where that is possible.

    Each passage but the first begins with as many whole sentences of the one before as fit into `overlap` words. A
    longer sentence is cut between words. An empty text has no passage.

    Raises:
        UsageError: no word a passage, or an overlap that is not smaller.

    Example:
        >>> chunks("One two. Three four. Five six.", words=4, overlap=2)
        ['One two. Three four.', 'Three four. Five six.']
    """
    if words < 1 or not 0 <= overlap < words:
        got = f"words {words}, overlap {overlap}"
        raise UsageError.of("passages", got, "0 ≤ overlap < words", "Choose smaller overlaps.")
    passages: list[str] = []
    held: list[list[str]] = []
    for sentence in sentences(text, words):
        if held and sum(map(len, held)) + len(sentence) > words:
            passages.append(_joined(held))
            held = _tail(held, min(overlap, words - len(sentence)))
        held.append(sentence)
    if held:
        passages.append(_joined(held))
    return passages


def sentences(text: str, words: int = WORDS) -> Iterator[list[str]]:
    """Words of every sentence; one of more than `words` words in pieces.

    Example:
        >>> list(sentences("One two. Three four five.", words=2))
        [['One', 'two.'], ['Three', 'four'], ['five.']]
    """
    for sentence in _SENTENCE.split(text):
        found = sentence.split()
        yield from (found[i : i + words] for i in range(0, len(found), words))


def _tail(held: list[list[str]], room: int) -> list[list[str]]:
    """The last sentences that fit into `room` words."""
    kept: list[list[str]] = []
    for sentence in reversed(held):
        room -= len(sentence)
        if room < 0:
            break
        kept.insert(0, sentence)
    return kept


def _joined(held: list[list[str]]) -> str:
    return " ".join(word for sentence in held for word in sentence)
