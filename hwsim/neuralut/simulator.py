"""`simulate`: a batch through a LUT-network pipeline, bit- and cycle-exact.

Plain and stream ports give the same figures here, because nothing stalls: sample i is presented in cycle i and
its result is first visible in cycle i + latency, so a batch takes batch + latency cycles (fill and drain
included). Stalls are `hwsim.neuralut.pipeline.simulate_stream`'s affair.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of
from hwsim.core.result import SimResult
from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import UsageError, check_shape
from hwsim.ir.lut import InputQuantiser, LutLayer, LutNetwork, SumLayer, code_dtype
from hwsim.neuralut.program import Program, program_of

Backend = Literal["auto", "vector", "numba", "reference"]


def simulate(
    network: LutNetwork,
    x: np.ndarray,
    arch: NeuralutArch | None = None,
    *,
    backend: Backend = "auto",
    toggles: bool = False,
    trace: bool = False,
    tech: str | None = "cmos45",
) -> SimResult:
    """Output codes, classes, cycles and events of a batch.

    Args:
        network: the artifact. Its arrays become read-only (kernels keep a flat copy).
        x: integer codes [batch, n_in] in 0..2^β−1, or floats [batch, n_in] for the network's input quantiser.
        arch: register placement; default `NeuralutArch()` (a register before every layer, as in the paper).
        backend: ``"auto"`` takes the fastest one that this machine and network allow; ``"vector"`` keeps tables
            in AVX-512-VBMI registers; ``"numba"`` is portable; ``"reference"`` is the artifact's own
            definition. All give the same codes.
        toggles: also count register bits that change (reset is 0), as ``register_toggles``.
        trace: keep ports and registers over time (`Trace.write_vcd` makes a waveform of them).
        tech: table of energies in ``hwsim/tech``, or None for no energy.

    Raises:
        ShapeError: wrong shape, or a code out of range.
        UsageError: unknown backend, or ``"vector"`` where it can not run.
        ArtifactError: floats for a network without input quantiser.

    Example:
        >>> import numpy as np
        >>> from hwsim.ir.lut import LutLayer, LutNetwork
        >>> inverter = LutLayer(np.array([[0]], np.int32), np.array([[3, 2, 1, 0]], np.uint8), 2, 2)
        >>> simulate(LutNetwork(1, 2, (inverter, inverter)), np.array([[0], [3]])).cycles
        4
    """
    arch = arch or NeuralutArch()
    codes = as_codes(network, x)
    outputs, classes, used, notes = run_codes(network, codes, backend)
    latency = arch.latency(len(network.layers))
    counters = _counters(network, len(codes))
    if toggles:
        counters += {"register_toggles": _register_toggles(network, codes, arch)}
    waves = None
    if trace:
        from hwsim.neuralut.waves import plain_trace

        waves = plain_trace(network, codes, arch)
    return SimResult(
        outputs=outputs,
        cycles=len(codes) + latency if len(codes) else 0,
        latency_cycles=latency,
        initiation_interval=1,
        counters=counters,
        backend=used,
        classes=classes,
        energy=energy_of(counters, tech, _priced_events(network)) if tech else None,
        trace=waves,
        notes=notes,
    )


def layer_codes(network: LutNetwork, x: np.ndarray) -> list[np.ndarray]:
    """Codes of every layer [batch, n_out], in order, by the portable kernels (`reference_layers`, but fast).

    Raises:
        ShapeError: wrong shape, or a code out of range.
    """
    from hwsim.neuralut import kernels

    program = program_of(network)
    signal = network.check_codes(as_codes(network, x))
    out = []
    for layer, row in zip(network.layers, program.layers, strict=True):
        target = np.empty((len(signal), layer.n_out), code_dtype(layer.bits_out))
        kernels.run_one_layer(
            row, program.wires, program.tables, program.offsets, program.bias, signal, target, *_scratch(program)
        )
        out.append(target)
        signal = target
    return out


def run_codes(
    network: LutNetwork, codes: np.ndarray, backend: Backend
) -> tuple[np.ndarray, np.ndarray | None, str, tuple[str, ...]]:
    """Output codes and classes for codes of `as_codes`, the backend that computed them, and notes."""
    if backend not in get_args(Backend):
        raise UsageError.of("backend", repr(backend), f"one of {', '.join(get_args(Backend))}", "Choose one of them.")
    if backend == "reference":
        outputs = network.reference(codes)
        return outputs, network.classify(outputs) if network.n_classes else None, "reference", ()
    used, reason = _choose(network, backend)
    outputs = np.empty((len(codes), network.n_outputs), code_dtype(network.output_bits))
    classes = np.empty(len(codes) if network.n_classes else 0, np.int64)
    if _emits(network):
        from hwsim.neuralut import vector

        if vector.run_vector(network, codes, outputs, classes, used == "vector") >> network.input_bits:
            network.check_codes(codes)  # the kernel saw a code that is too wide: raises
    else:
        from hwsim.neuralut import kernels

        program = program_of(network)
        kernels.run_network(
            program.layers, program.wires, program.tables, program.offsets, program.bias,
            network.check_codes(codes), outputs, classes, *_scratch(program),
        )  # fmt: skip
    notes = (f"portable kernels: {reason}",) if reason and backend == "auto" else ()
    return outputs, classes if network.n_classes else None, used, notes


def _choose(network: LutNetwork, backend: Backend) -> tuple[str, str | None]:
    """``"vector"`` or ``"numba"``, and why it is not the former."""
    if backend == "numba":
        return "numba", None
    from hwsim.neuralut import vector

    reason = vector.why_no_permute(network)
    if backend == "vector" and reason is not None:
        raise UsageError.of("backend 'vector' can not run", reason, "AVX-512-VBMI and small tables", "Use 'auto'.")
    return ("vector" if reason is None else "numba"), reason


def _emits(network: LutNetwork) -> bool:
    """Whether the emitted kernels take the network; plain numba does otherwise."""
    from hwsim.neuralut import vector
    from hwsim.neuralut.codegen import jit_off

    return vector.fits_bytes(network) and not jit_off()


def _scratch(program: Program) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from hwsim.neuralut.kernels import CHUNK

    return (np.empty((2, program.widest, CHUNK), program.dtype), np.empty(CHUNK, np.uint16), np.empty(CHUNK, np.int64))


def as_codes(network: LutNetwork, x: np.ndarray) -> np.ndarray:
    """Contiguous codes of the input dtype. Codes that have it already are not yet checked for their range."""
    x = np.asarray(x)
    if x.dtype.kind == "f" and network.input_quantiser is not None:
        return _quantise(network.input_quantiser, x)
    if x.dtype.kind == "f":
        return network.quantise(x)  # raises: there is no quantiser
    if x.dtype == code_dtype(network.input_bits):
        check_shape("codes", x.shape, "[batch, n_inputs]", (None, network.n_inputs))
        return np.ascontiguousarray(x)
    return np.ascontiguousarray(network.check_codes(x))


def _quantise(quantiser: InputQuantiser, x: np.ndarray) -> np.ndarray:
    """`InputQuantiser.reference`, at kernel speed."""
    from hwsim.neuralut import kernels

    check_shape("x", x.shape, "[batch, n_in]", (None, len(quantiser.gain)))
    x = np.ascontiguousarray(x, dtype=np.float32 if x.dtype == np.float32 else np.float64)
    codes = np.empty(x.shape, code_dtype(quantiser.bits))
    lo, hi = float(quantiser.lo), float(quantiser.hi)
    if not kernels.quantise(x, quantiser.gain, quantiser.offset, lo, hi, codes):
        return quantiser.reference(x)  # raises: a feature is not finite
    return codes


def _counters(network: LutNetwork, batch: int) -> Counters:
    lut_layers = [layer for layer in network.layers if isinstance(layer, LutLayer)]
    return Counters(
        lookups=batch * sum(layer.n_out for layer in lut_layers),
        adder_terms=batch * sum(len(layer.sources) for layer in network.layers if isinstance(layer, SumLayer)),
        table_bits_read=batch * sum(layer.n_out * layer.bits_out for layer in lut_layers),
    )


def _priced_events(network: LutNetwork) -> dict[str, str]:
    """Counter → entry of the energy table: the narrowest tabled adder that holds the widest sum.

    A lookup in LUT fabric has no published energy per event that we could name, so it stays unpriced.
    """
    widths = [layer.bits_out for layer in network.layers if isinstance(layer, SumLayer)]
    if not widths:
        return {}
    return {"adder_terms": f"add_int{8 if max(widths) <= 8 else 16}"}


def _register_toggles(network: LutNetwork, codes: np.ndarray, arch: NeuralutArch) -> int:
    from hwsim.neuralut import kernels

    signals = [codes, *layer_codes(network, codes)]
    return sum(kernels.count_toggles(signals[b]) for b in arch.boundaries(len(network.layers)))
