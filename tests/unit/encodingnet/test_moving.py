"""Rewriting to moving parts leaves every product and every network output as it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hwsim.encodingnet.encodings import booth, truncated
from hwsim.encodingnet.moving import moving, with_constants_folded
from hwsim.encodingnet.recoded import recoded
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_ops import Conv, Linear, MatMul, Requant
from hwsim.ir.mac_vector import Reshape

ENCODINGS = [recoded(4, 4, 3, fit="stationary", fraction=1), booth(4, 4), truncated(4, 4, 2)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_product_is_its_moving_part_and_a_constant(encoding: Encoding) -> None:
    constant = encoding.stationary_sums(np.arange(16).astype(np.int8).astype(np.int64) - 16 * (np.arange(16) > 7))
    part, inverse = moving(encoding), moving(encoding, complement=True)
    assert not part.stationary.any()
    assert part.bias == inverse.bias == 0
    np.testing.assert_array_equal(part.table + constant, encoding.table)
    np.testing.assert_array_equal(int(part.position_weights.sum()) - inverse.table, part.table)


def test_complementing_makes_nand_of_and() -> None:
    inverse = moving(truncated(3, 3), complement=True)
    assert set(inverse.gates.tables.tolist()) == {0b0111}


@pytest.mark.parametrize("complement", [False, True])
def test_a_network_gives_the_same_codes(complement: bool) -> None:
    rng = np.random.default_rng(3)

    def codes(*shape: int) -> np.ndarray:
        return rng.integers(-8, 8, shape).astype(np.int16)

    def requant(n: int) -> Requant:
        return Requant(rng.integers(50, 200, n), 12, -8, 7)

    network = EncodedMac(
        (Input((2, 5, 5), -8, 7),),
        (ENCODINGS[0], dataclasses.replace(ENCODINGS[1])),
        (
            Conv((0,), codes(4, 1, 3, 3), rng.integers(-9, 9, 4), requant(4), (2, 1), (1, 1), 2, 0),
            Reshape((1,), (4, 15)),
            MatMul((2, 2), requant(1), True, 1),
            Linear((3,), codes(3, 4), rng.integers(-9, 9, 3), requant(3), 1),
        ),
    )
    x = rng.integers(-8, 8, (6, 2, 5, 5))
    folded = with_constants_folded(network, complement=complement)
    np.testing.assert_array_equal(folded.reference(x), network.reference(x))
    assert len(np.unique(network.reference(x))) > 4
    assert folded.encodings[0].n_bits < network.encodings[0].n_bits


def test_an_encoding_of_weights_alone_is_refused() -> None:
    e = booth(2, 2)
    keep = e.stationary
    gates = dataclasses.replace(e.gates, outputs=e.gates.outputs[keep])
    alone = dataclasses.replace(e, gates=gates, position_weights=e.position_weights[keep])
    with pytest.raises(ArtifactError, match=r"encoding: got no wide bit that reads an activation"):
        moving(alone)
