"""Product units by the number of their wide bits."""

from __future__ import annotations

import re
from functools import cache

from hwsim.encodingnet import library
from hwsim.encodingnet.encodings import truncated
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

FRACTION = 4  # fraction bits of fitted position weights


@cache
def unit_for(name: str) -> Encoding:
    """The 8×8 signed unit called `name`.

    ``"m40"`` is the searched encoding of 40 wide bits that ships (``uniform-m40``), ``"t40"`` the 40 heaviest partial
    products with position weights by least squares; any other name is one of `hwsim.encodingnet.library`.

    Raises:
        UsageError: no such unit, or a number of bits that a multiplier does not have.
    """
    if match := re.fullmatch(r"t(\d+)", name):
        return truncated(8, 8, n_bits=int(match[1]), fit="weights", fraction=FRACTION)
    wanted = f"uniform-{name}" if re.fullmatch(r"m\d+", name) else name
    if wanted not in library.names():
        want = f"exact, m<bits>, t<bits> or one of {', '.join(library.names())}"
        raise UsageError.of("product unit", repr(name), want, "Change --arms.")
    return library.shipped(wanted)
