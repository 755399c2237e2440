"""Names for the types of arrays; their shapes stand in the docstrings of what takes and gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]
