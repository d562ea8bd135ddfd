"""The small CNN on the encoded-MAC array: AOC, cycles and energy a chip, beside the recogniser that it spares.

A camera-side gate pays when what it drops would have cost more: at the reject rate φ it saves φ·E(recogniser) − E(gate)
a frame, so it breaks even at φ = E(gate)/E(recogniser).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context

ENCODINGS = ("exact", "uniform-m48")
ROWS, COLS = 64, 32
CALIBRATION, PRICED = 256, 32  # chips that set the ranges; chips whose operands set the energy


def encoding(name: str) -> Any:
    """A product unit by name."""
    from hwsim.encodingnet.encodings import exact
    from hwsim.encodingnet.library import shipped

    return exact(8, 8) if name == "exact" else shipped(name)


def measure(ctx: Context[Any], case: Any, judged: Any, progress: Any) -> list[dict[str, Any]]:
    """Convert the trained CNN for every encoding and judge its integer answers."""
    from hwsim.encodingnet.network import NetworkRunner
    from hwsim.ir import io
    from hwsim.ir.arch.encodingnet import EncodingnetArch
    from ml.common.convert import convert
    from ml.sddfiqa.edc import FMRS, Verifier
    from ml.sddfiqa.facenet import pixels

    model, s = judged.models["predicted"], case.suffix
    x, x_test = pixels(case.train.chips)[::7][:CALIBRATION], pixels(case.test.chips)
    judge = Verifier(case.seen[1], case.test.identity)
    floating = [judge.curve(judged.qualities["predicted"][0], fmr).aoc() for fmr in FMRS]
    arch = EncodingnetArch(ROWS, COLS)
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(ENCODINGS):
        network = convert(model, x, encoding(name), bits=8, correct="sums")
        codes = network.quantise(x_test.numpy())
        outputs = NetworkRunner(network)(codes, detail="none").outputs.reshape(-1).astype(float)
        priced = NetworkRunner(network, arch)(network.quantise(x_test[:PRICED].numpy()))
        aoc = [judge.curve(outputs, fmr).aoc() for fmr in FMRS]
        loss = max(one - two for one, two in zip(floating[:2], aoc, strict=False))
        wide = network.encodings[0].n_bits
        row: dict[str, Any] = {"name": name, "bits": wide, "aoc": aoc, "loss": loss, "cycles": priced.cycles / PRICED,
               "energy_nj": sum(priced.energy_pj.values()) / PRICED / 1000}  # fmt: skip
        rows.append(row)
        slug = name.replace("-", "_")
        text = f"M = {wide}, 8-bit codes; float − integer, the worse of FMR 1e-2 and 1e-3; {case.title}"
        ctx.metric(f"mac_aoc_loss_{slug}{s}", loss, "1", n=len(x_test), method=text)
        where = f"{ROWS} × {COLS} popcount columns, {PRICED} chips side by side"
        ctx.metric(f"mac_cycles_{slug}{s}", row["cycles"], "cycles", n=PRICED, method=f"a chip; {where}")
        ctx.metric(f"mac_energy_{slug}{s}", row["energy_nj"], "nJ", n=PRICED, method=f"a chip; sky130hd table; {where}")
        path = ctx.folder / f"quality{s}-{name}{io.SUFFIX}"
        io.save(network, path)
        ctx.artifact(path, f"quality{s}, {name}")
        progress(i + 1, len(ENCODINGS) + 1, name)
    if case.net is not None:
        _spared(ctx, case, x, x_test, rows[1]["energy_nj"])
    return rows


def _spared(ctx: Context[Any], case: Any, x: Any, x_test: Any, gate_nj: float) -> None:
    """Energy of the recogniser on the same array, and the reject rate from which the gate pays."""
    from hwsim.encodingnet.network import NetworkRunner
    from hwsim.ir.arch.encodingnet import EncodingnetArch
    from ml.common.convert import convert

    network = convert(case.net, x, encoding(ENCODINGS[1]), bits=8, correct="sums")
    run = NetworkRunner(network, EncodingnetArch(ROWS, COLS))(network.quantise(x_test[:PRICED].numpy()))
    own = sum(run.energy_pj.values()) / PRICED / 1000
    text = f"{case.judge} on the same array, M = 48"
    ctx.metric(f"recogniser_energy{case.suffix}", own, "nJ", n=PRICED, method=f"a chip; {text}")
    text = f"E(gate)/E(recogniser), {np.round(gate_nj, 1)} nJ against {np.round(own, 1)} nJ; a large recogniser: near 0"
    ctx.metric(f"break_even_reject_rate{case.suffix}", 100 * gate_nj / own, "%", method=text)
