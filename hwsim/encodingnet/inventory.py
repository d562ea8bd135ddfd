"""What an array consists of and what its counted events cost.

Energy = Σ events × the figure of `hwsim/tech/<table>.toml`. Events by part:

| part | events |
|---|---|
| register | toggled bits of activation, weight, skew, count, output and cut registers |
| clock | clocked register bits, every cycle: no clock gating |
| encoder, popcount, decoder | toggled wires |
| memory, dram | bytes read and written at the array's memories, and behind them |
| leakage | register bits, adders and gates over time |

Not modelled: wires between cells (fan-out of a row over C columns, fan-in of R rows), glitches, the control logic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.core.counters import Counters
from hwsim.core.energy import Energy, energy_of
from hwsim.encodingnet.activity import modelled_plan
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_column import column_plan
from hwsim.ir.encoding import Encoding

TECH = "sky130hd"
EVENTS = {
    "register": {
        f"{name}_toggles": "register_toggle" for name in ("activation", "weight", "skew", "counts", "output", "cuts")
    },
    "clock": {"clocked_bits": "register_clock"},
    "encoder": {"encoder_toggles": "gate_toggle"},
    "popcount": {"popcount_toggles": "adder_toggle"},
    "decoder": {"decoder_toggles": "adder_toggle"},
    "memory": {"sram_read_bytes": "sram_byte", "sram_write_bytes": "sram_byte"},
    "dram": {"dram_read_bytes": "dram_byte", "dram_write_bytes": "dram_byte"},
    "leakage": {
        "register_ns": "register_leakage_ns", "adder_ns": "adder_leakage_ns", "gate_ns": "gate_leakage_ns",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Inventory:
    """Cells of an array.

    Attributes:
        registers: bits by group: activation, weight, skew, counts, output, cuts.
        adders: full and half adders; plain systolic cells as fused ones.
        gates: nodes of the encoders, one each.
    """

    registers: Mapping[str, int]
    adders: int
    gates: int

    @property
    def register_bits(self) -> int:
        return sum(self.registers.values())


def inventory(encoding: Encoding, arch: EncodingnetArch) -> Inventory:
    """Cells of an array, skew and de-skew registers included.

    Example (a 64-row column of the exact encoding: 64×8 + 64×8 + 22 bits; 64 partial sums in a systolic one):
        >>> from hwsim.encodingnet.encodings import exact
        >>> heap = inventory(exact(8, 8), EncodingnetArch(64, 1, style="heap"))
        >>> chain = inventory(exact(8, 8), EncodingnetArch(64, 1, style="systolic"))
        >>> heap.register_bits, heap.adders, chain.registers["output"]
        (1046, 4114, 1408)
    """
    plan, model = column_plan(encoding, arch), modelled_plan(encoding, arch)
    rows, cols, width = arch.rows, arch.cols, plan.width
    assert model.tree is not None
    assert model.final is not None
    chain = rows if arch.style == "systolic" else 1
    x_bits, n_bits = len(plan.cells.x_code), encoding.n_bits
    counts = n_bits * model.count_bits if "counts" in arch.registers else 0
    cuts = n_bits * rows * ("encoder" in arch.registers or "product" in arch.registers)
    cuts += 2 * width * ("rows" in arch.registers)
    skew = width * cols * (cols - 1) // 2
    skew += x_bits * rows * (rows - 1) // 2 * (arch.style == "systolic")
    registers = {
        "activation": rows * cols * x_bits, "weight": rows * cols * len(plan.cells.w_code), "skew": skew,
        "counts": cols * counts, "output": cols * chain * width, "cuts": cols * cuts,
    }  # fmt: skip
    adders = chain * (len(model.tree.kinds) + len(model.final.kinds))
    if model.counter is not None:
        adders += n_bits * len(model.counter.kinds)
    gates = (
        rows * cols * len(model.cells.cell_nodes) + cols * len(model.cells.w_nodes) + rows * len(model.cells.x_nodes)
    )
    return Inventory(registers, cols * adders, gates)


def time_events(stock: Inventory, cycles: int, clock_ns: float) -> dict[str, int]:
    """Events that pass with time alone: clocked bits, and cells over ns."""
    return {
        "clocked_bits": stock.register_bits * cycles,
        "register_ns": round(stock.register_bits * cycles * clock_ns),
        "adder_ns": round(stock.adders * cycles * clock_ns),
        "gate_ns": round(stock.gates * cycles * clock_ns),
    }


def energies(counters: Counters, tech: str = TECH) -> tuple[dict[str, float], Energy | None]:
    """Energy in pJ by part, and the whole with its bounds and sources; parts without a figure are left out.

    Raises:
        UsageError: no such technology table.
    """
    parts: dict[str, float] = {}
    every: dict[str, str] = {}
    for part, events in EVENTS.items():
        energy = energy_of({name: counters.get(name, 0) for name in events}, tech, events)
        if energy is not None:
            parts[part] = energy.total_pj
        every |= events
    return parts, energy_of({name: counters.get(name, 0) for name in every}, tech, every)
