"""Retrieval-augmented generation: found passages as numbered context before a question."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.ir.errors import UsageError
from ml.semsearch.documents import Hit

INSTRUCTION = (
    "Answer the question from the passages below alone. Name the passages you used by their numbers in brackets. "
    "If they do not answer it, say so."
)


def prompt(question: str, hits: Sequence[Hit], words: int = 1500, instruction: str = INSTRUCTION) -> str:
    """A prompt for any language model.

    Passages come best first, as long as they fit into `words` words together; the first one always comes, cut if it
    must be. What is inside a passage can't end its block: lines are indented.

    Raises:
        UsageError: no question, or fewer than 1 word.

    Example:
        >>> print(prompt("What sings?", [Hit("a", 1.0, "Larks sing.", {"source": "birds.txt"})], instruction="Answer."))
        Answer.
        <BLANKLINE>
        [1] birds.txt
            Larks sing.
        <BLANKLINE>
        Question: What sings?
        Answer:
    """
    if not question.strip() or words < 1:
        got = f"question {question!r}, {words} words"
        raise UsageError.of("prompt", got, "a question and room for a passage", "Ask something.")
    blocks: list[str] = []
    room = words
    for number, hit in enumerate(hits, 1):
        found = hit.text.split()
        if len(found) > room and blocks:
            break
        body = "\n".join(f"    {line}" for line in _lines(found[:room]))
        blocks.append(f"[{number}] {hit.fields.get('source', hit.id)}\n{body}")
        room -= len(found)
        if room <= 0:
            break
    context = "\n\n".join(blocks) or "(no passage was found)"
    return f"{instruction}\n\n{context}\n\nQuestion: {question.strip()}\nAnswer:"


def _lines(words: Sequence[str], width: int = 100) -> list[str]:
    import textwrap

    return textwrap.wrap(" ".join(words), width)
