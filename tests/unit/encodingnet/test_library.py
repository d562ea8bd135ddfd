"""Shipped encodings: every kernel equals the gates for all pairs, and the figures that the documentation quotes."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.encodingnet import emulator, library
from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.encodings import truncated
from hwsim.encodingnet.search.prices import proxy_cost
from hwsim.encodingnet.truth import product_table
from hwsim.ir import io
from hwsim.ir.encoding import signed_digits
from hwsim.ir.errors import UsageError

BARS = {"uniform-m32": 80.0, "uniform-m40": 35.6, "uniform-m64": 0.0, "small-m8": 2.34, "small-m12": 0.59,
        "recoded-m32": 12.5}  # fmt: skip


def test_everything_with_a_recipe_ships():
    assert set(library.names()) == set(library.recipes())


@pytest.mark.parametrize("name", library.names())
def test_emulation_equals_the_netlist_for_all_pairs(name):
    e = library.shipped(name)
    assert e.meta["run"] == f"python -m hwsim.encodingnet.library {name}"
    for kernel in emulator.KERNELS:
        if emulator.emulator(e, kernel).cost < 60:
            emulator.verify(e, kernel)
    rng = np.random.default_rng(1)
    pairs = np.stack([rng.integers(*_range(e.x_range), 500), rng.integers(*_range(e.w_range), 500)], axis=1)
    table = product_table(e)[pairs[:, 0] & ((1 << e.x_bits) - 1), pairs[:, 1] & ((1 << e.w_bits) - 1)]
    np.testing.assert_array_equal(e.reference(pairs), table)


def _range(ends):
    return ends[0], ends[1] + 1


@pytest.mark.parametrize("name", BARS)
def test_bars(name):
    assert product_error(library.shipped(name)).rmse <= BARS[name]


@pytest.mark.parametrize("name", [n for n in library.names() if library.recipe(n).digits])
def test_digits(name):
    e, digits = library.shipped(name), library.recipe(name).digits
    moving = e.position_weights[~e.stationary]
    assert max(signed_digits(int(s)) for s in moving) <= digits


@pytest.mark.parametrize(("name", "column"), [("relu-m24", 4), ("relu-m20", 5), ("relu-m16", 6)])
def test_moving_bits_beat_truncation_in_area_and_activity(name, column):
    """Error no larger than truncation's under the same operands, with less of both in the proxy."""
    p_x, p_w = library.distributions(name)
    ours, rival = library.shipped(name), truncated(8, 8, column, p_x=p_x, p_w=p_w, fraction=4)
    assert product_error(ours, p_x, p_w).rmse <= 1.13 * product_error(rival, p_x, p_w).rmse
    a, b = proxy_cost(ours, p_x, p_w), proxy_cost(rival, p_x, p_w)
    assert a.area < 0.87 * b.area
    assert a.activity < b.activity


def test_a_small_recipe_gives_the_shipped_bytes():
    assert io.to_bytes(library.find("relu-m10")) == io.to_bytes(library.shipped("relu-m10"))


def test_unknown_names():
    with pytest.raises(UsageError, match=r"unknown shipped encoding: got 'best', expected one of .*uniform-m40"):
        library.shipped("best")
    with pytest.raises(UsageError, match="unknown encoding: got 'best'"):
        library.find("best")
