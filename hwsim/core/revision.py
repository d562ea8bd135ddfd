"""A checksum of source files, for compiled functions that depend on more than their own file.

numba's disk cache (``cache=True``) goes by the file that defines a function and by the values it closes over. It
does not see that a function or constant of another file, compiled into the first one, has changed, and would go on
running the old code after an update. A function that closes over `revision` of those files is compiled anew.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from types import ModuleType


def revision(*modules: ModuleType) -> int:
    """CRC-32 of the source files of `modules`, in order: 0..2^32 − 1.

    Example:
        >>> from hwsim.core import counters, trace
        >>> revision(counters) == revision(counters) != revision(trace)
        True
    """
    checksum = 0
    for module in modules:
        if module.__file__ is not None:
            checksum = zlib.crc32(Path(module.__file__).read_bytes(), checksum)
    return checksum
