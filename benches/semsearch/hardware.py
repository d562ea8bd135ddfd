"""The hand-over: int8 products on the encoded-MAC array, Hamming distances on LUTs, and where a graph beats a scan."""

from __future__ import annotations

from functools import cache
from typing import Any

from benches.runner import Context
from benches.semsearch.collections import Collection, listed
from hwsim.encodingnet.library import shipped
from hwsim.encodingnet.network import NetworkRunner
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.semsearch import HammingArch
from hwsim.semsearch.memory import DRAM, SRAM, break_even, scan_cost, walk_cost
from hwsim.semsearch.scorer import scan
from ml.semsearch.export import to_ir
from ml.semsearch.quantise import BITS, BitCode, Int8

ENCODING = "recoded-m32"
ARRAY = EncodingnetArch(64, 64, style="popcount")
SCORER = HammingArch(BITS, BITS)
NARROW = HammingArch(128, 64, k=4, index_bits=12)
LINKS = 32  # of the lowest level: 2 · m
PLACEMENTS = (1, 2, 3)  # seeds of the placer


def on_array(ctx: Context[Any], found: list[Collection]) -> list[dict[str, Any]]:
    """nDCG, cycles and energy of the encoded-MAC array; a row a corpus."""
    rows: list[dict[str, Any]] = []
    equal = checked = 0
    for one in found:
        index = Int8.of(one.documents)
        network = to_ir(index, shipped(ENCODING))
        runner, codes = NetworkRunner(network, ARRAY), index.query(one.queries)
        batch = runner(codes, block=len(codes))
        single = runner(codes[:4], block=1)
        some = codes[: ctx.config.reference_queries]
        equal += int((network.reference(some) == batch.outputs[: len(some)]).all(axis=1).sum())
        checked += len(some)
        rows.append({
            "corpus": one.name, "documents": len(one.documents), "loss": one.loss(batch.outputs.astype(float)),
            "cycles": single.cycles / 4, "nj": _nj(single) / 4,
            "batch_cycles": batch.cycles / len(codes), "batch_nj": _nj(batch) / len(codes),
        })  # fmt: skip
        for name, unit in (("cycles", "cycles"), ("nj", "nJ"), ("batch_cycles", "cycles"), ("batch_nj", "nJ")):
            how = f"{len(codes)} queries share the weights" if name.startswith("batch") else "one query at a time"
            method = f"{len(one.documents)} documents, 64×64 popcount columns, {ENCODING}, {how}"
            ctx.metric(f"mac_{name}_per_query_{one.name}", rows[-1][name], unit, method=method)
    worst = max(row["loss"] for row in rows)
    ctx.metric("encoded_mac_ndcg_loss", worst, "", n=len(rows), method=f"{ENCODING}; worst of {listed(found)}")
    ctx.metric("mac_equal_queries", equal, "", n=checked, method="array outputs = EncodedMac.reference")
    ctx.metric("mac_checked_queries", checked, "")
    return rows


def _nj(run: Any) -> float:
    return float(sum(run.energy_pj.values())) / 1e3


def on_luts(ctx: Context[Any], found: list[Collection]) -> list[dict[str, Any]]:
    """Cycles and energy of the Hamming scorer; a row a corpus."""
    rows = []
    for one in found:
        code = BitCode.of(one.documents)
        run = scan(code(one.queries), code(one.documents), SCORER)
        assert run.energy is not None
        nj = run.energy.total_pj / 1e3 / len(one.queries)
        memory = run.counters["sram_read_bytes"] * 8.5e-3 / len(one.queries)
        rows.append({"corpus": one.name, "cycles": run.query_cycles, "nj": nj, "memory_nj": memory})
        method = f"{len(one.documents)} documents of {BITS} bits, one a cycle, {SCORER.k} places"
        ctx.metric(f"scorer_cycles_per_query_{one.name}", run.query_cycles, "cycles", method=method)
        low, high = (x / 1e3 / len(one.queries) for x in (run.energy.low_pj, run.energy.high_pj))
        ctx.metric(
            f"scorer_nj_per_query_{one.name}", nj, "nJ", low, high,
            method=f"{method}; toggles counted, memory {memory:.0f} nJ of it; low and high: energy table",
        )  # fmt: skip
    return rows


@cache
def device(arch: HammingArch) -> Any:
    """The scorer under Verilator."""
    from rtl.cosim.verilate import Verilated
    from rtl.semsearch import build

    return Verilated(build(arch))


def equality(ctx: Context[Any], found: list[Collection]) -> None:
    """RTL beside the cycle model: numbers, distances and cycles, on a corpus and on drawn codes."""
    from rtl.semsearch.cosim import stream

    code = BitCode.of(found[0].documents)
    documents, queries = code(found[0].documents), code(found[0].queries[: ctx.config.rtl_queries])
    rng = ctx.rng("rtl")
    drawn = [
        (rng.integers(0, 2, NARROW.bits), rng.integers(0, 2, (int(n), NARROW.bits))) for n in rng.integers(1, 60, 40)
    ]
    runs = equal = 0
    for arch, work in ((SCORER, [(query, documents) for query in queries]), (NARROW, drawn)):
        outcome = stream(device(arch), arch, work)
        got = zip(outcome.numbers, outcome.distances, outcome.cycles, strict=True)
        for (query, rows), (numbers, distances, cycles) in zip(work, got, strict=True):
            want = scan(query[None], rows, arch, priced=0)
            same = numbers.tolist() == want.outputs[0].tolist() and distances.tolist() == want.distances[0].tolist()
            equal += same and cycles == want.cycles
            runs += 1
    ctx.metric("rtl_equal_runs", equal, "", n=runs, method="numbers, distances and cycles, RTL under Verilator")
    ctx.metric("rtl_runs", runs, "")


def synthesis(ctx: Context[Any]) -> None:
    """LUTs, flip-flops and a placed clock of the scorer."""
    from rtl.lib.verilog import to_verilog
    from rtl.semsearch import FewPins, build
    from rtl.synth.nextpnr import place
    from rtl.synth.yosys import synthesize

    sources = to_verilog(build(SCORER), "semsearch").sources
    report = synthesize(sources, "semsearch", "xcup", timeout_s=900)
    method = f"{report.tool} {report.version}, {report.device}; {BITS} bits a cycle, {SCORER.k} places"
    for name, value in (("lut", report.lut_total), ("ff", report.ff)):
        if value is not None:
            ctx.metric(f"scorer_{name}", value, "", method=method)
    sources = to_verilog(FewPins(SCORER), "semsearch").sources  # a beat has more bits than the device has pins
    placed = [place(sources, "semsearch", seed=seed, hide_names=True, timeout_s=900) for seed in PLACEMENTS]
    low, middle, high = sorted(one.fmax_mhz or 0.0 for one in placed)
    method = f"{placed[0].tool} {placed[0].version}, {placed[0].device}; {BITS} bits a cycle, registers at the pins"
    ctx.metric(
        "scorer_fmax_ecp5", middle, "MHz", low, high, n=len(placed), method=f"{method}; median and range of placements"
    )


def break_evens(ctx: Context[Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Time and energy of a scan by bits and a walk over bits or int8, over the number of documents."""
    sizes = [row["documents"] for row in rows]
    curves: dict[str, Any] = {"documents": sizes}
    for memory, name in ((DRAM, "dram"), (SRAM, "sram")):
        for label, size in (("bits", BITS / 8), ("int8", float(BITS))):
            scans = [scan_cost(memory, n, size) for n in sizes]
            walks = [walk_cost(memory, row["hops"], row["evaluations"], size, LINKS) for row in rows]
            curves[f"{name}_{label}"] = [[c.ns for c in scans], [c.ns for c in walks]]
            method = f"{memory.name}, {label}; walk as counted by faiss at ef 100, m 16, clustered vectors"
            for what, of in (("", "ns"), ("_energy", "pj")):
                costs = [[getattr(c, of) for c in part] for part in (scans, walks)]
                found = break_even(sizes, *costs)
                if found is None:
                    ctx.note(f"{name}, {label}{what}: the scan stays cheaper up to {sizes[-1]} documents")
                else:
                    ctx.metric(f"break_even{what}_{label}_{name}", found, "documents", method=method)
    return curves
