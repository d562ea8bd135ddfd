"""What people evaluate LUT networks with today, measured beside our kernels in the same run.

Both take input codes [batch, n_in] and return output codes [batch, n_out], equal to the artifact's reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutLayer, LutNetwork


def numpy_gather(network: LutNetwork, codes: np.ndarray, block: int = 1000) -> np.ndarray:
    """Fancy indexing, one gather for the inputs and one for the tables a layer, `block` samples at a time."""
    parts = []
    for start in range(0, len(codes), block):
        signal = codes[start : start + block]
        for layer in network.layers:
            signal = layer.reference(signal)
        parts.append(signal)
    return np.concatenate(parts)


class TorchCompare:
    """A table lookup by dense comparison: each sample against all 2^(β·F) rows of the state matrix.

    This is how LogicNets-derived code looks a table up (Xilinx/logicnets, issue 27 reports hours for it);
    written anew from that description.
    """

    def __init__(self, network: LutNetwork) -> None:
        import torch

        self._torch = torch
        self._layers: list[tuple[Any, Any, Any]] = []
        for layer in network.layers:
            if not isinstance(layer, LutLayer):
                raise UsageError.of("dense comparison", "a sum layer", "LUT layers only", "Use another evaluator.")
            addresses = np.arange(1 << layer.address_bits)
            shifts = layer.bits_in * np.arange(layer.fan_in - 1, -1, -1)
            states = (addresses[:, None] >> shifts) & ((1 << layer.bits_in) - 1)
            self._layers.append(
                (
                    torch.from_numpy(layer.connections.astype(np.int64)),
                    torch.from_numpy(states.astype(np.float32)),
                    torch.from_numpy(layer.table.astype(np.float32)),
                )
            )

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        torch = self._torch
        signal = torch.from_numpy(codes.astype(np.float32))
        with torch.no_grad():
            for connections, states, tables in self._layers:
                columns = [
                    tables[k][(signal[:, None, picked] == states[None]).all(dim=2).float().argmax(dim=1)]
                    for k, picked in enumerate(connections)
                ]
                signal = torch.stack(columns, dim=1)
        return signal.numpy().astype(np.int64)
