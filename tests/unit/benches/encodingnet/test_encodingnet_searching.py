"""What the search stage of EncodingNet's bench says of shipped encodings."""

from __future__ import annotations

import pytest

from benches.encodingnet import emulation, scalesim, searching
from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.library import shipped


@pytest.mark.parametrize("m", searching.BITS)
def test_the_best_of_m_bits_keeps_to_m_and_is_no_worse_than_the_plain_search(m: int) -> None:
    _, best = searching.best_of(m)
    assert best.n_bits <= m
    assert product_error(best).rmse <= product_error(shipped(f"uniform-m{m}")).rmse


def test_forty_bits_are_exact_by_booths_rows() -> None:
    assert searching.best_of(40)[0] == "Booth"
    assert product_error(searching.best_of(40)[1]).rmse == 0


def test_lines_fall_with_the_number_of_bits() -> None:
    for label, points in searching._lines().items():
        ordered = [rmse for _, rmse in sorted(points)]
        assert ordered == sorted(ordered, reverse=True), label


def test_every_kernel_agrees_with_the_gates_of_a_small_encoding() -> None:
    assert emulation.agrees(shipped("small-m8"))


def test_kept_figures_of_scalesim() -> None:
    assert scalesim.KEPT[0].last_cycle + 1 == 27_954
