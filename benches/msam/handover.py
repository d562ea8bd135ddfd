"""One SGD and one MSAM network on the hardware models: files, equality, accuracy before and after, cycles, energy.

The encoded MAC runs all test images on a 16 × 16 array (systolic cells, or compressor heaps for the encoding; weights
stay while 256 images pass), the spiking chip a part of them, 32 steps an image.
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from benches import stats
from benches.msam import mac, spiking
from benches.msam.methods import BY_NAME, train_digits
from benches.runner import Context

SAMPLES = 100  # images on which every output code is compared
SIDE = 16  # cells of a row and of a column
CHIP_PRESETS = ("loihi", "cmos45")


def measure(ctx: Context[Any]) -> None:
    """Write `encoded_mac` and `spiking_net` files, run them, compare fast evaluation with `reference`."""
    from hwsim.ir import io
    from ml.msam import bits

    equal, table = {"mac": 0, "snn": 0}, []
    for method in ("sgd", "msam"):
        model, task, _ = train_digits(method, ctx.seed, ctx.config.digits_epochs, BY_NAME[method].options)
        made = [bits.encode(w.detach(), 8) for w in bits.weight_matrices(model).values()]
        harsh = mac.network(model, task, mac.units()[mac.HARSH])
        artifacts = {
            "exact": mac.network(model, task, mac.units()["truncated0"]),
            mac.HARSH: harsh,
            "snn": spiking.to_snn(model, task, [c.numpy() for c, _ in made], [step for _, step in made], 8),
        }
        before = _float_accuracy(model, task)
        for name, artifact in artifacts.items():
            path = ctx.folder / f"{method}-{name}{io.SUFFIX}"
            io.save(artifact, path)
            ctx.artifact(path, f"{method}, {name}")
            style = "systolic" if name == "exact" else "heap"
            ran = _on_chip(artifact, task) if name == "snn" else _on_array(artifact, task, style)
            table.append({"method": method, "artifact": name, "float accuracy, %": before, **ran})
        equal["mac"] += mac.equal_samples(harsh, task, SAMPLES)
        equal["snn"] += spiking.equal_samples(model, task, SAMPLES)
    for name, value in equal.items():
        ctx.metric(f"{name}_equal_samples", value, "", n=2 * SAMPLES, method="evaluation of the study = reference")
    ctx.metric("handover_samples", 2 * SAMPLES, "")
    for name in (mac.HARSH, "booth11"):
        ctx.metric(f"product_error_{name}", stats.Figure(mac.error_of(name)), "%", method="rms over all operands")
    _report(ctx, table)


def _float_accuracy(model: Any, task: Any) -> float:
    import torch

    with torch.no_grad():
        return 100 * float((model(task.x_test).argmax(1) == task.y_test).double().mean())


def _on_array(artifact: Any, task: Any, style: Any) -> dict[str, Any]:
    """Accuracy, and cycles and nanojoule an image, of an `EncodedMac` on the array."""
    from hwsim.encodingnet.network import NetworkRunner
    from hwsim.ir.arch.encodingnet import EncodingnetArch

    arch = EncodingnetArch(SIDE, SIDE, style=style)
    run = NetworkRunner(artifact, arch)(artifact.quantise(task.x_test.numpy()))
    n = len(run.outputs)
    right = 100 * float((run.classes == task.y_test.numpy()).mean())
    where = f"{SIDE} × {SIDE} array, {style}"
    return _row(where, right, n, run.cycles / n, sum(run.energy_pj.values()) / n / 1000)


def _on_chip(net: Any, task: Any) -> dict[str, Any]:
    """Accuracy, and cycles and nanojoule an image, of a `SpikingNet` on the chip."""
    from hwsim.evsnn import Chip, price
    from hwsim.ir.events import Events

    x = spiking.inputs(task.x_test[:SAMPLES]).astype(np.int16)
    run = Chip(net).run(Events.from_raster(np.repeat(x[:, None], net.steps, axis=1)))
    right = 100 * float((run.classes == task.y_test[:SAMPLES].numpy()).mean())
    low, high = sorted(price(net, run, preset).forward_nj_per_sample for preset in CHIP_PRESETS)
    row = _row(f"spiking chip, {net.steps} steps", right, SAMPLES, float(run.sample_cycles.mean()), low)
    return row | {"nJ, dearest price": high}


def _row(where: str, accuracy: float, images: int, cycles: float, nanojoule: float) -> dict[str, Any]:
    return {
        "on": where, "accuracy, %": accuracy, "images": images, "cycles an image": cycles, "nJ an image": nanojoule,
        "nJ, dearest price": nanojoule,
    }  # fmt: skip


def _report(ctx: Context[Any], table: list[dict[str, Any]]) -> None:
    """Metrics and a table of every run."""
    for row in table:
        name = f"{row['artifact']}_{row['method']}"
        where = f"{row['on']}; {row['images']} test images"
        ctx.metric(
            f"handover_acc_{name}", row["accuracy, %"], "%", method=f"{where}; float {row['float accuracy, %']:.2f}"
        )
        ctx.metric(f"handover_cycles_{name}", row["cycles an image"], "cycles", method=where)
        high = row["nJ, dearest price"]
        ctx.metric(f"handover_nj_{name}", row["nJ an image"], "nJ", low=row["nJ an image"], high=high, method=where)
    path = ctx.folder / "handover.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    ctx.file(path, "table", "The same networks before and after the hand-over: accuracy, cycles and energy an image.")
