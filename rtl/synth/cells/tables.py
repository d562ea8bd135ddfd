"""Non-linear delay model tables: bilinear interpolation over input slew and output load, linear outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from hwsim.ir.errors import ArtifactError
from rtl.synth.cells.text import Group

Templates = Mapping[str, Group]
_AXES = {
    "input_net_transition": "slew",
    "input_transition_time": "slew",
    "constrained_pin_transition": "slew",
    "total_output_net_capacitance": "load",
    "related_pin_transition": "load",
}


@dataclass(frozen=True)
class Scale:
    """Factors from a file's units to ps, fF and nW; energies are capacitance times V², so fJ by `cap_ff`."""

    time_ps: float
    cap_ff: float
    leakage_nw: float


class Table:
    """A table with rows by slew (ps) and columns by load (fF; of a constraint: by the clock's slew in ps).

    Numbers are read on first use: a library holds thousands of tables, a design uses few.
    """

    def __init__(self, group: Group, templates: Templates, scale: Scale, kind: Literal["time", "energy"]) -> None:
        self._group, self._templates, self._scale, self._kind = group, templates, scale, kind

    @cached_property
    def _data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group, template = self._group, self._templates.get(self._group.arguments)
        lists = {**(template.lists if template else {}), **group.lists}
        variables = [template.attributes.get(f"variable_{k}", "") for k in (1, 2)] if template else ["", ""]
        axes = [_AXES.get(name, "slew" if k == 0 else "load") for k, name in enumerate(variables)]
        values = _numbers(group.lists.get("values", ""))
        sizes = [_numbers(lists[f"index_{k}"]) for k in (1, 2) if f"index_{k}" in lists and values.size > 1]
        shape = [len(index) for index in sizes]
        if int(np.prod(shape)) != values.size or any((np.diff(index) <= 0).any() for index in sizes):
            got = f"{values.size} values, indices of {shape} values"
            raise ArtifactError.of(f"table {group.name} ({group.arguments})", got, "one value a grid point", "Mend it.")
        return self._oriented(values.reshape(shape or (1,)), sizes, axes)

    def _oriented(
        self, values: np.ndarray, sizes: list[np.ndarray], axes: list[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(slews, loads, values [slews, loads]) in this package's units."""
        constraint = self._group.name.endswith("_constraint")
        index = dict(zip(axes, sizes, strict=False))
        slew, load = index.get("slew", np.zeros(1)), index.get("load", np.zeros(1))
        if len(sizes) == 2 and axes[0] == "load":
            values = values.T
        values = values.reshape(len(slew), len(load))
        load_scale = self._scale.time_ps if constraint else self._scale.cap_ff
        value_scale = self._scale.time_ps if self._kind == "time" else self._scale.cap_ff
        return slew * self._scale.time_ps, load * load_scale, values * value_scale

    @property
    def slew_ps(self) -> np.ndarray:
        """[n_slew], ps."""
        return self._data[0]

    @property
    def load_ff(self) -> np.ndarray:
        """[n_load], fF."""
        return self._data[1]

    @property
    def values(self) -> np.ndarray:
        """[n_slew, n_load], ps or fJ."""
        return self._data[2]

    def at(self, slew_ps: np.ndarray | float, load_ff: np.ndarray | float) -> np.ndarray:
        """Values at points, bilinear; outside the grid along the outermost segment, as OpenSTA does."""
        slews, loads, values = self._data
        i, u = _segment(slews, np.asarray(slew_ps, dtype=float))
        j, v = _segment(loads, np.asarray(load_ff, dtype=float))
        i1, j1 = np.minimum(i + 1, len(slews) - 1), np.minimum(j + 1, len(loads) - 1)
        low = values[i, j] * (1 - v) + values[i, j1] * v
        high = values[i1, j] * (1 - v) + values[i1, j1] * v
        return low * (1 - u) + high * u


def _segment(index: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(left grid point, fraction) of points; 0 and 0 for an axis of one point."""
    if len(index) == 1:
        return np.zeros(x.shape, dtype=np.int64), np.zeros(x.shape)
    left = np.clip(np.searchsorted(index, x, side="right") - 1, 0, len(index) - 2)
    return left, (x - index[left]) / (index[left + 1] - index[left])


def _numbers(text: str) -> np.ndarray:
    try:
        return np.array(text.replace('"', " ").replace(",", " ").split(), dtype=float)
    except ValueError as error:
        raise ArtifactError.of("Liberty table", repr(text[:60]), "numbers", "Get the file again.") from error
