"""Speed of exact emulation beside a float32 matrix product, and its equality with the gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from benches.stats import cpu_rounds
from hwsim.encodingnet.emulator import emulator, gemm
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.library import names, shipped
from hwsim.encodingnet.recoded import recoded
from hwsim.ir.encoding import Encoding

SHAPE = (2048, 1152, 128)  # rows T, products K, columns N


def measure(ctx: Context[Any], progress: Any) -> None:
    """Slowdown of each kernel, and equality of all kernels with the netlists of all shipped encodings."""
    t, k, n = SHAPE
    rng = ctx.rng("emulation")
    x, w = rng.integers(-128, 128, (t, k)), rng.integers(-128, 128, (n, k))
    native = x.astype(np.float32), w.astype(np.float32).T.copy()
    popcount = truncated(8, 8, n_bits=40)
    plans = {
        "lowrank": emulator(truncated(8, 8, 5), "lowrank"), "popcount": emulator(popcount, "popcount"),
        "table": emulator(popcount, "table"),
    }  # fmt: skip
    prepared = {name: plan.prepare_weights(w) for name, plan in plans.items()}
    work: dict[str, Any] = {"native": lambda: native[0] @ native[1]}
    work |= {name: (lambda name=name: plans[name](x, prepared[name])) for name in plans}
    best = cpu_rounds(work, ctx.config.rounds)
    rank = int(plans["lowrank"].cost)
    details = {"lowrank": f"rank {rank}, weights prepared", "popcount": "M = 40", "table": "any 256 × 256 table"}
    for name, detail in details.items():
        method = f"{t} × {k} × {n}, one thread, CPU time, best of rounds in turns, against float32 GEMM; {detail}"
        ctx.metric(f"emulation_slowdown_{name}", best[name] / best["native"], "×", method=method)
        ctx.metric(f"emulation_gmac_per_s_{name}", t * k * n / best[name] / 1e9, "GMAC/s")
        progress(list(details).index(name) + 1, 4, name)
    checked = all_encodings()
    equal = sum(agrees(e) for e in checked.values())
    method = f"all pairs of codes through every kernel, against the gates, of {len(checked)} encodings"
    ctx.metric("emulation_equal_netlist", float(equal == len(checked)), "", n=len(checked), method=method)


def all_encodings() -> dict[str, Encoding]:
    """Shipped encodings and the constructed ones."""
    made = {"exact": exact(8, 8), "Booth": booth(8, 8), "truncated": truncated(8, 8, 6), "recoded": recoded(8, 8, 6)}
    return made | {name: shipped(name) for name in names()}


def agrees(encoding: Encoding) -> bool:
    """Every kernel gives, for every pair of codes, what the gates give."""
    (x_low, x_high), (w_low, w_high) = encoding.x_range, encoding.w_range
    x, w = np.arange(x_low, x_high + 1), np.arange(w_low, w_high + 1)
    pairs = np.stack([np.repeat(x, len(w)), np.tile(w, len(x))], axis=1)
    want = encoding.reference(pairs).reshape(len(x), len(w))
    kernels = [name for name in ("lowrank", "popcount", "table") if np.isfinite(emulator(encoding, name).cost)]
    return all(np.array_equal(gemm(x[:, None], w[:, None], encoding, name), want) for name in kernels)
