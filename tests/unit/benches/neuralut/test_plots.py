"""The picture of both methods' curves draws the fronts that are compared."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure

from benches.neuralut.plots import curves


class OneFigure:
    """Stands in for the run: keeps the last figure."""

    @contextmanager
    def plot(self, name, caption, width, height):
        self.figure = Figure((width, height), layout="constrained")
        yield self.figure


def test_curves_draw_the_points_and_the_efficient_front():
    values = {}
    for plan, accuracy, luts, levels in (
        ("mnist_votes240", 92.0, 300, 4),
        ("mnist_votes450", 95.0, 500, 5),
        ("hdr5l_neuralut_x1", 94.0, 20_000, 37),  # dearer and worse: a point, not on the front
        ("mnist_votes240_logicnets", 90.0, 300, 4),
    ):
        values |= {f"acc_{plan}": accuracy, f"lut6_mean_{plan}": luts, f"levels_mean_{plan}": levels}
    run = OneFigure()
    curves(run, {name: SimpleNamespace(value=value) for name, value in values.items()})
    for axes, costs in zip(run.figure.axes, ([300, 500], [4, 5]), strict=True):
        fronts = [line for line in axes.lines if line.get_linestyle() == "-"]
        assert [len(line.get_xdata()) for line in fronts] == [2, 1]
        assert np.array_equal(fronts[0].get_xdata(), costs)
        assert sum(len(line.get_xdata()) for line in axes.lines if line not in fronts) == 4
