"""EncodingNet (arXiv 2402.18595): encoded multipliers, their search, emulation and array model.

Example:
    >>> import numpy as np
    >>> from hwsim.encodingnet.encodings import booth
    >>> booth(8, 8).reference(np.array([[-100, 27]])).tolist()
    [-2700]
"""
