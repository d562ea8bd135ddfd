"""Product units by the number of their wide bits."""

from __future__ import annotations

import re
from functools import cache

from hwsim.encodingnet.encodings import truncated
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

FRACTION = 4  # fraction bits of fitted position weights


@cache
def unit_for(name: str) -> Encoding:
    """The 8×8 signed unit called `name`: ``"m40"`` has 40 wide bits; ``"t40"`` keeps the 40 heaviest partial products.

    Raises:
        UsageError: another name, or a number of bits that no unit has.
    """
    match = re.fullmatch(r"([mt])(\d+)", name)
    if not match:
        want = "exact, m<bits> (searched) or t<bits> (truncated)"
        raise UsageError.of("product unit", repr(name), want, "Change --arms.")
    return truncated(8, 8, n_bits=int(match[2]), fit="weights", fraction=FRACTION)
