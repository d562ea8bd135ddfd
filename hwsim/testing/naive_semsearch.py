"""Naive twin of the Hamming scorer, in plain Python integers, one clock edge after the other."""

from __future__ import annotations

from hwsim.ir.arch.semsearch import HammingArch


def hamming_run(arch: HammingArch, query: list[int], documents: list[list[int]]) -> tuple[list[tuple[int, int]], int]:
    """([(distance, number)] of the nearest, cycles), found by moving beats through the pipeline.

    Example:
        >>> hamming_run(HammingArch(32, 32, k=1), [0] * 32, [[1] * 32, [0] * 31 + [1]])
        ([(1, 1)], 8)
    """
    width, words = arch.beat_bits, arch.words
    beats = [(query[i * width : (i + 1) * width], True) for i in range(words)]
    beats += [(doc[i * width : (i + 1) * width], False) for doc in documents for i in range(words)]
    pipe: list[int | None] = [None] * (1 + arch.tree_edges)  # ones of a beat on their way to the distance register
    places: list[tuple[int, int]] = []
    total, seen, cycle, arrived = 0, 0, 0, -1
    while arrived != len(documents):
        ones = None
        if cycle < len(beats) and not beats[cycle][1]:
            word = beats[(cycle - words) % words][0]
            ones = sum(a != b for a, b in zip(beats[cycle][0], word, strict=True))
        out, pipe = pipe[-1], [ones, *pipe[:-1]]
        cycle += 1
        if out is not None:
            total = out if seen % words == 0 else total + out
            seen += 1
            if seen % words == 0:
                places = sorted([*places, (total, seen // words - 1)])[: arch.k]
                arrived = seen // words
    # one edge later the last document has its place and the first result is shown; then one a cycle
    return places, cycle + 1 + len(places)
