"""Hand-over of an index: int8 document vectors as the stationary weights of an encoded-MAC network.

One matrix product: the query's codes move, the documents' codes stay. The sum of document n is multiplied by its scale
on the array's output path, so that output n is its score on a scale common to all documents. The array model counts
cycles and energy (`hwsim.encodingnet.network`).
"""

from __future__ import annotations

import numpy as np

from hwsim.ir.encoding import Encoding
from hwsim.ir.mac import EncodedMac, Input
from hwsim.ir.mac_build import Builder, Value, fixed_point
from hwsim.ir.mac_ops import Linear, Requant
from ml.semsearch.quantise import TOP, Int8


def to_ir(index: Int8, encoding: Encoding) -> EncodedMac:
    """The scoring of all documents as a network: codes [dims] → scores [documents].

    Args:
        index: document codes.   encoding: product unit with 8-bit operands.

    Raises:
        ArtifactError: operands that do not fit the encoding.

    Example:
        >>> from hwsim.encodingnet.encodings import exact
        >>> network = to_ir(Int8.of(np.array([[1.0, 0.0], [0.5, -0.5]])), exact(8, 8))
        >>> network.reference(np.array([[2, 1]])).tolist()
        [[254, 64]]
    """
    documents, dims = index.codes.shape
    net = Builder([Input((dims,), -TOP, TOP)])
    unit = net.unit(encoding)
    top = dims * int(np.abs(encoding.table).max())
    mult, shift = fixed_point(index.scales / index.scales.max(), top)
    scaled = Requant(mult, shift, -2 * top, 2 * top)
    linear = Linear((0,), index.codes.astype(np.int16), np.zeros(documents, np.int64), scaled, unit)
    scores = net.add(linear, float(index.scales.max()))
    return net.finish(Value(scores.number, scores.step), meta={"source": "semsearch"})
