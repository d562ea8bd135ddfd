"""The quality gate as L-LUTs: block features in, a count of votes out, a comparator behind it.

The float head teaches: the network learns its answers on the training chips' block features and on noisy copies of
them, of which there is no end. First-layer L-LUTs read two features of three bits, later ones six bits, so that every
L-LUT is one LUT6; the last layer's bits vote, adders count, and a gate compares the count with its threshold.
NeuraLUT's layers, exported as tables, mapped to LUT6, each table proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benches.runner import Context

JITTER = 0.25  # of the noise on copies, in standard deviations
INPUT_BITS = 3


def shape(n_in: int, hidden: int, votes: int) -> Any:
    """Two layers of one-bit L-LUTs, the last of which are counted."""
    from ml.neuralut.configs import LayerConfig, NetConfig

    first = LayerConfig(hidden, 2, 1, width=16, depth=2, skip=2)
    return NetConfig(
        "gate", n_in, INPUT_BITS, (first, LayerConfig(votes, 6, 1, width=16, depth=2, skip=2)), votes=votes
    )


@dataclass(frozen=True)
class _Taught:
    """Batches of noisy features [n_in, batch] with the teacher's answers."""

    x: np.ndarray
    teacher: Any
    batch: int
    seed: int

    @property
    def steps(self) -> int:
        return max(len(self.x) // self.batch, 1)

    def epoch(self, epoch: int) -> Iterator[tuple[Any, Any]]:
        import torch

        from ml.common.seed import numpy_generator

        draw = numpy_generator(self.seed, "taught", epoch)
        order = draw.permutation(len(self.x))
        spread = self.x.std(0)
        for i in range(self.steps):
            x = self.x[order[i * self.batch : (i + 1) * self.batch]]
            size = draw.uniform(0, 2 * JITTER, (len(x), 1)).astype(np.float32)
            x = x + size * spread * draw.standard_normal(x.shape, np.float32)
            with torch.no_grad():
                answer = self.teacher(torch.from_numpy(x)).reshape(-1)
            yield torch.from_numpy(np.ascontiguousarray(x.T)), answer


def train(config: Any, head: Any, features: np.ndarray, seed: int, epochs: int, progress: Any = None) -> Any:
    """A `LutNet` that answers as `head` does, up to scale and offset, on `features` float32 [n, n_in]."""
    import torch
    from torch.nn import functional

    from ml.common.train import FitConfig, Trainer
    from ml.neuralut.model import LutNet
    from ml.neuralut.train import FIX_AFTER

    model = LutNet(config, seed)
    model.quantise_input.calibrate(torch.from_numpy(np.ascontiguousarray(features.T)))
    with torch.no_grad():
        answers = head(torch.from_numpy(features)).reshape(-1)
    middle, spread = float(answers.mean()), float(answers.std())

    def loss(_: Any, scores: Any, wanted: Any) -> Any:
        return functional.smooth_l1_loss(scores[:, 0], (wanted - middle) / spread)

    def rest(net: Any, _: Any, epoch: int) -> None:
        net.fix_statistics(epoch >= FIX_AFTER * epochs)

    batches = _Taught(features, head, 128, seed)
    fit = FitConfig(epochs, 3e-3, check_every=epochs)
    Trainer(model, batches, lambda _: 0.0, fit, on_epoch=rest, select=False, loss=loss, progress=progress).fit()
    return model.eval()


def measure(ctx: Context[Any], case: Any, judged: Any, progress: Any) -> dict[str, Any]:
    """Train gates of several sizes on a case; AOC against the float head, LUT6 and cycles of each."""
    from benches.neuralut.area import mapped
    from hwsim.ir import io
    from hwsim.neuralut import simulate
    from ml.neuralut.export import to_ir
    from ml.sddfiqa.edc import FMRS, Verifier
    from ml.sddfiqa.features import block_features

    x, x_test = block_features(case.train.chips), block_features(case.test.chips)
    judge = Verifier(case.seen[1], case.test.identity)
    teacher = [judge.curve(judged.qualities["gate"][0], fmr).aoc() for fmr in FMRS]
    rows = []
    sizes = [tuple(map(int, size.split("-"))) for size in ctx.config.luts.split()]
    for hidden, votes in sizes:
        config = shape(x.shape[1], hidden, votes)
        model = train(config, judged.models["gate"], x, ctx.seed, ctx.config.lut_epochs, progress)
        network = to_ir(model, {"data": case.title})
        result = simulate(network, x_test.astype(np.float64))
        area = mapped(network)
        aoc = [judge.curve(result.outputs[:, 0].astype(float), fmr).aoc() for fmr in FMRS]
        loss = max(one - two for one, two in zip(teacher[:2], aoc, strict=False))
        row = {"hidden": hidden, "votes": votes, "lut6": area.lut6, "levels": area.levels, "aoc": aoc, "loss": loss}
        rows.append(row | {"cycles": result.latency_cycles})
        path = ctx.folder / f"gate{case.suffix}-{hidden}{io.SUFFIX}"
        io.save(network, path)
        ctx.artifact(path, f"gate{case.suffix}, {hidden} + {votes} L-LUTs")
        equal = int((result.outputs == network.reference(network.quantise(x_test))).all(axis=1).sum())
        rows[-1]["equal"] = equal
    _record(ctx, case, rows, teacher, len(x_test))
    return {"rows": rows, "teacher": teacher}


def _record(ctx: Context[Any], case: Any, rows: list[dict[str, Any]], teacher: list[float], n: int) -> None:
    """The last size carries the bar; every size is in the table of the plots."""
    largest, s = rows[-1], case.suffix
    text = f"float head on block features − its L-LUTs, the worse of FMR 1e-2 and 1e-3; {case.title}"
    ctx.metric(f"hw_aoc_loss{s}", largest["loss"], "1", n=n, method=text)
    for name, one, two in zip(("fmr1e2", "fmr1e3", "fmr1e4"), teacher, largest["aoc"], strict=True):
        ctx.metric(f"hw_aoc_{name}{s}", two, "1", n=n, method=f"votes of the L-LUTs; float head {one:.4f}")
    what = f"{largest['hidden']} + {largest['votes']} one-bit L-LUTs and the counter, every table proved"
    ctx.metric(f"lut6_gate{s}", largest["lut6"], "LUT6", method=what)
    ctx.metric(f"levels_gate{s}", largest["levels"], "levels", method="LUT levels from features to count")
    ctx.metric(f"cycles_gate{s}", largest["cycles"], "cycles", method="a register before every layer; one chip a cycle")
    equal = min(row["equal"] for row in rows)
    ctx.metric(f"lut_equal_samples{s}", equal, "", n=n, method="cycle model = LutNetwork.reference")
    ctx.metric(f"lut_samples{s}", n, "")


def place(ctx: Context[Any], suffix: str) -> None:
    """Clock of the largest gate's L-LUTs on an ECP5, registers between and after the layers; without the counter."""
    from benches.neuralut.area import mapped
    from hwsim.ir import io
    from hwsim.ir.errors import ToolFailedError, ToolMissingError
    from hwsim.ir.lut import LutNetwork
    from rtl.synth.netlist_verilog import pipeline_verilog
    from rtl.synth.nextpnr import place as run

    hidden = ctx.config.luts.split()[-1].split("-")[0]
    network = io.load_as(LutNetwork, ctx.folder / f"gate{suffix}-{hidden}{io.SUFFIX}")
    layers = [layer.netlist for layer in mapped(network).map.layers]
    verilog = pipeline_verilog(layers, "gate", style="cell")
    try:
        report = run({"gate.v": verilog + _serial(layers[0].n_inputs, layers[-1].n_outputs)}, "top", mapped=True)
    except (ToolFailedError, ToolMissingError) as error:
        ctx.note(f"No placed clock: {error}")
        return
    method = f"{report.tool} {report.version}, {report.device}, routed with shift registers around it, no counter"
    for name, value, unit in (
        ("fmax_gate_ecp5", report.fmax_mhz, "MHz"), ("lut4_gate_ecp5", report.lut_total, "LUT4"),
        ("ff_gate_ecp5", report.ff, "FF"),
    ):  # fmt: skip
        if value is not None:
            ctx.metric(name, value, unit, method=method)


def _serial(n_in: int, n_out: int) -> str:
    """A top module with few pins: features are shifted in bit by bit, votes are taken and shifted out."""
    return f"""
module top (input wire clk, input wire d, input wire load, output wire q);
  reg [{n_in - 1}:0] x;
  reg [{n_out - 1}:0] y;
  wire [{n_out - 1}:0] votes, next;
  always @(posedge clk) begin x <= {{x[{n_in - 2}:0], d}}; y <= next; end
  gate g (.clk(clk), .i(x), .o(votes));
  genvar k;
  generate for (k = 0; k < {n_out}; k = k + 1) begin : take
    \\$lut #(.WIDTH(32'd3), .LUT(8'hca)) m (.A({{load, votes[k], k ? y[k ? k - 1 : 0] : 1'b0}}), .Y(next[k]));
  end endgenerate
  assign q = y[{n_out - 1}];
endmodule
"""
