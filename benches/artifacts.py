"""The commands that read artifact files: `hwsim sim`, `hwsim ir dump` and `hwsim ir check`."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benches.files import file_sha256, write_atomic
from benches.text import table
from benches.verdicts import number
from hwsim.core.result import SimResult
from hwsim.core.trace import Trace
from hwsim.ir import io as ir_io
from hwsim.ir.artifact import Artifact
from hwsim.ir.errors import UsageError
from hwsim.ir.gates import GateNetlist
from hwsim.ir.lut import LutNetwork

Simulator = Callable[[Any, np.ndarray, bool], tuple[SimResult, Trace | None]]


def _lut_network(network: Any, x: np.ndarray, traced: bool) -> tuple[SimResult, Trace | None]:
    from hwsim.neuralut import NeuralutArch, simulate, simulate_stream

    result = simulate(network, x)
    if not traced:
        return result, None
    arch = NeuralutArch(ports="stream")
    always = np.ones(len(x) + result.latency_cycles, dtype=bool)
    return result, simulate_stream(network, x, arch, always, always, trace=True).trace


SIMULATORS: dict[str, Simulator] = {"lut_network": _lut_network}
REFERENCE_ONLY = ("gate_netlist",)  # combinational: no cycles to count, the reference is the model


def simulate(path: Path, x_path: Path, y_path: Path | None, vcd: Path | None, as_json: bool) -> str:
    """Simulate the artifact at `path` on the array at `x_path`; returns what to print.

    Raises:
        ArtifactError, ShapeError: a bad artifact, or an input that does not fit it.
        UsageError: not a .npy file, a kind without simulator, or a waveform of a kind without cycles.
    """
    artifact, x = ir_io.load(path), _array(x_path)
    facts: dict[str, Any] = {"kind": artifact.kind, "id": file_sha256(path), "samples": len(x)}
    if artifact.kind in SIMULATORS:
        result, trace = SIMULATORS[artifact.kind](artifact, x, vcd is not None)
        outputs = result.outputs
        facts |= _sim_facts(result)
        if vcd is not None and trace is not None:
            facts["vcd"] = str(trace.write_vcd(vcd))
    elif artifact.kind in REFERENCE_ONLY:
        if vcd is not None:
            mend = "Leave --vcd out."
            raise UsageError.of("--vcd", f"a {artifact.kind}, which has no clock", "a clocked kind", mend)
        outputs = artifact.reference(x)
    else:
        kinds = ", ".join([*SIMULATORS, *REFERENCE_ONLY])
        raise UsageError.of("no simulator for this kind", artifact.kind, f"one of {kinds}", "Use its paper's bench.")
    if y_path is not None:
        _save(y_path, outputs)
        facts["out"] = str(y_path)
    return _printed(facts, outputs, as_json)


def _array(path: Path) -> np.ndarray:
    mend = "Write it with numpy.save."
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError.of(f"cannot read {path}", error, "a .npy file", mend) from error
    if not isinstance(array, np.ndarray):
        raise UsageError.of(f"cannot read {path}", "an archive of arrays", "a .npy file with one array", mend)
    return array


def _save(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomic(path, buffer.getvalue())


def _sim_facts(result: SimResult) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "backend": result.backend,
        "cycles": result.cycles,
        "latency_cycles": result.latency_cycles,
        "initiation_interval": result.initiation_interval,
        "counters": {name: int(count) for name, count in dict(result.counters).items()},
    }
    if result.classes is not None:
        facts["classes"] = np.bincount(result.classes).tolist()
    if result.energy is not None:
        facts["energy_pj"] = result.energy.total_pj
        facts["energy_unpriced"] = list(result.energy.unpriced)
    return facts | ({"notes": list(result.notes)} if result.notes else {})


def _printed(facts: dict[str, Any], outputs: np.ndarray, as_json: bool) -> str:
    if as_json:
        return msgspec.json.encode(facts | {"outputs": None if "out" in facts else outputs.tolist()}).decode()
    lines = [f"{name:20} {_plain(value)}" for name, value in facts.items()]
    if "out" not in facts:
        lines.append(f"outputs {list(outputs.shape)}, the first rows:")
        lines += ["  " + " ".join(map(str, row[:16])) + (" …" if len(row) > 16 else "") for row in outputs[:8]]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number(float(v))}" for name, v in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value)) or "–"
    return number(value) if isinstance(value, float) else str(value)


def dump(path: Path, as_json: bool) -> str:
    """Header, tensors and cost of the artifact at `path`."""
    artifact = ir_io.load(path)
    tensors, header = artifact.to_tensors()
    cost = artifact.cost()
    facts = {
        "kind": artifact.kind,
        "spec_version": artifact.spec_version,
        "id": file_sha256(path),
        "header": header,
        "tensors": {name: f"{array.dtype} {list(array.shape)}" for name, array in tensors.items()},
        "cost": cost.values,
    }
    if as_json:
        return msgspec.json.encode(facts).decode()
    head = f"{artifact.kind} version {artifact.spec_version}\nid {facts['id']}"
    fields = "\n".join(f"{name:18} {msgspec.json.encode(value).decode()}" for name, value in header.items())
    shapes = table(("tensor", "dtype", "shape"), [(n, str(a.dtype), str(list(a.shape))) for n, a in tensors.items()])
    costs = table(
        ("cost", "value", "formula"), [(n, number(v), cost.formulas.get(n, "")) for n, v in cost.values.items()]
    )
    return f"{head}\n\n{fields}\n\n{shapes}\n\n{costs}"


def check(path: Path, samples: int) -> str:
    """Validate the artifact at `path` and evaluate its reference on random inputs of its range.

    Raises:
        ArtifactError: a rule of the kind is broken.
        UsageError: a kind whose inputs this command does not know how to draw.
    """
    artifact = ir_io.load(path)
    x = _random_input(artifact, samples)
    y = artifact.reference(x)
    if not np.array_equal(y, artifact.reference(x)):
        raise UsageError.of(f"{path}: reference", "two different answers", "one answer an input", "Mend the kind.")
    return f"{path}: {artifact.kind} ok, id {file_sha256(path)[:16]}…, {samples} random inputs → {list(y.shape)}"


def _random_input(artifact: Artifact, samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if isinstance(artifact, LutNetwork):
        return rng.integers(0, 1 << artifact.input_bits, (samples, artifact.n_inputs))
    if isinstance(artifact, GateNetlist):
        return rng.integers(0, 2, (samples, artifact.n_inputs))
    mend = "Use hwsim ir dump, which validates as well."
    raise UsageError.of("no random inputs for this kind", artifact.kind, "lut_network or gate_netlist", mend)
