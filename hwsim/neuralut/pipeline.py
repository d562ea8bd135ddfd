"""`simulate_stream`: the stream pipeline of `NeuralutArch`, one clock cycle at a time, with stalls.

The pipeline is D registers in a row (D = `arch.latency`), each a valid bit and a payload, and one enable for all
of them (the *global stall* of `NeuralutArch`). In cycle t, before the clock edge:

    out_valid = valid[D−1]             advance  = not out_valid or out_ready
    in_ready  = advance                out_fire = out_valid and out_ready        in_fire = in_valid and in_ready

At the edge, when `advance`: register i takes register i−1, and register 0 takes the input with
valid = in_fire. Layers between two registers are combinational, so what a register holds is a function of
one sample; the kernel therefore moves sample numbers, and codes are computed once a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.core.trace import Trace
from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.ir.lut import LutNetwork
from hwsim.neuralut.simulator import Backend, as_codes, run_codes


@dataclass(frozen=True, eq=False)
class StreamRun:
    """What the ports did in each cycle.

    Attributes:
        in_fire, out_fire: bool [cycles], a transfer happened at the input, at the output.
        out_valid: bool [cycles].
        outputs: codes [n_emitted, n_out], one row for each `out_fire`, in order.
        latency: int64 [n_emitted], cycles from a sample's in_fire to its out_fire.
        accepted: samples that entered; those that did not leave are still inside.
        trace: all registers over time, or None when none was asked for.
    """

    in_fire: np.ndarray
    out_fire: np.ndarray
    out_valid: np.ndarray
    outputs: np.ndarray
    latency: np.ndarray
    accepted: int
    trace: Trace | None = None

    @property
    def cycles(self) -> int:
        """Clock cycles simulated."""
        return len(self.in_fire)


def simulate_stream(
    network: LutNetwork,
    x: np.ndarray,
    arch: NeuralutArch,
    in_valid: np.ndarray,
    out_ready: np.ndarray,
    *,
    backend: Backend = "auto",
    trace: bool = False,
) -> StreamRun:
    """Drive the stream ports with given handshakes and report every cycle.

    The source offers the first sample of `x` that was not accepted yet whenever `in_valid` says so, and nothing
    once all are in; `in_valid` is driven as it stands, so a source that has to hold valid until it fires must
    say so in the array.

    Args:
        network: the artifact.
        x: codes or floats [batch, n_in], as for `simulate`.
        arch: register placement with ``ports="stream"``.
        in_valid, out_ready: bool [cycles].
        backend: as for `simulate`.
        trace: keep ports and registers (`Trace.write_vcd` makes a waveform of them).

    Raises:
        UsageError: `arch` has plain ports.
        ShapeError: wrong shapes.

    Example:
        >>> import numpy as np
        >>> from hwsim.ir.lut import LutLayer, LutNetwork
        >>> same = LutLayer(np.array([[0]], np.int32), np.array([[0, 1]], np.uint8), 1, 1)
        >>> run = simulate_stream(LutNetwork(1, 1, (same,)), np.array([[1], [0]]), NeuralutArch(ports="stream"),
        ...                       np.ones(5, bool), np.array([0, 0, 1, 1, 1], bool))
        >>> run.in_fire.astype(int).tolist(), run.out_fire.astype(int).tolist(), run.latency.tolist()
        ([1, 0, 1, 0, 0], [0, 0, 1, 1, 0], [2, 1])
    """
    from hwsim.neuralut import kernels

    if arch.ports != "stream":
        raise UsageError.of("arch.ports", repr(arch.ports), "'stream'", "Plain ports have no handshake: use simulate.")
    in_valid, out_ready = _handshake("in_valid", in_valid), _handshake("out_ready", out_ready)
    if len(in_valid) != len(out_ready):
        raise ShapeError.of(
            "in_valid and out_ready",
            f"{len(in_valid)} and {len(out_ready)} cycles",
            "one length",
            "Give both for every cycle.",
        )
    codes = network.check_codes(as_codes(network, x))
    cycles, depth = len(in_valid), arch.latency(len(network.layers))
    in_fire, out_fire, out_valid = (np.zeros(cycles, np.bool_) for _ in range(3))
    entered, held = np.zeros(len(codes), np.int64), np.empty((cycles, depth), np.int64)
    accepted, emitted = kernels.stream_kernel(
        in_valid, out_ready, len(codes), np.full(depth, -1, np.int64), in_fire, out_fire, out_valid, entered, held
    )
    return StreamRun(
        in_fire=in_fire,
        out_fire=out_fire,
        out_valid=out_valid,
        outputs=run_codes(network, codes[:emitted], backend)[0],
        latency=np.flatnonzero(out_fire) - entered[:emitted],
        accepted=int(accepted),
        trace=_waves(network, codes, arch, (in_valid, out_ready), (in_fire, out_valid, held)) if trace else None,
    )


def _waves(
    network: LutNetwork,
    codes: np.ndarray,
    arch: NeuralutArch,
    driven: tuple[np.ndarray, np.ndarray],
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Trace:
    """Trace from the handshakes driven (in_valid, out_ready) and seen (in_fire, out_valid, held)."""
    from hwsim.neuralut.waves import stream_trace

    (in_valid, out_ready), (in_fire, out_valid, held) = driven, seen
    accepted_before: np.ndarray = np.cumsum(in_fire) - in_fire
    offered = np.where(in_valid & (accepted_before < len(codes)), accepted_before, -1)
    ports = {"in.valid": in_valid, "in.ready": ~out_valid | out_ready, "out.valid": out_valid, "out.ready": out_ready}
    return stream_trace(network, codes, arch, ports, offered, held)


def _handshake(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or (values.dtype.kind not in "iub") or (values.size and int(values.max()) > 1):
        raise ShapeError.of(name, f"{values.dtype} {list(values.shape)}", "bool [cycles]", "Give one bool a cycle.")
    return np.ascontiguousarray(values, dtype=np.bool_)
