"""`Verilated`: a component or Verilog design compiled once, then driven at C++ speed from numpy arrays.

cocotb spends most of a cycle in Python; here the loop over clock cycles is generated C++ (`rtl.cosim.driver`), so
millions of vectors stream through. Latency and initiation interval are read off the RTL itself, never off the
parameters that built it:

- streams: cycles from a sample's transfer in to its transfer out, for every sample;
- plain ports: each of a set of random samples is first held until the output has settled, then the same samples are
  sent one every `interval` cycles; the latency is the only shift at which both outputs agree.

Example::

    dut = Verilated(build(network, NeuralutArch()))
    run = dut.run(codes)                # codes [batch, n_in]
    run.outputs, run.cycles, run.latency, run.interval
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring

from hwsim.ir.errors import EquivalenceError, ShapeError, ToolFailedError, UsageError, check_shape
from rtl.cosim import driver, toolchain
from rtl.lib.verilog import Port, VerilogDesign, to_verilog

RESET_CYCLES = 2
_PROBE_SEED = 0x5EED  # any constant: probes shall repeat


@dataclass(frozen=True, eq=False)
class CosimRun:
    """What the RTL did.

    Attributes:
        outputs: codes [n_out_samples, lanes].
        cycles: clock cycles of the run, from the cycle that presents the first sample to the one that shows the last
            result, both included: (samples − 1)·interval + latency + 1 when nothing stalls.
        latency: int64 [n_out_samples], clock edges from the cycle that presents a sample to the first one that shows
            its result.
        interval: cycles between samples sent back to back (initiation interval).
        seconds: wall time of the compiled loop.
        accepted: samples that entered.
        in_fire, out_fire, out_valid: bool [cycles], only for runs with handshake patterns.
    """

    outputs: np.ndarray
    cycles: int
    latency: np.ndarray
    interval: int
    seconds: float
    accepted: int
    in_fire: np.ndarray | None = None
    out_fire: np.ndarray | None = None
    out_valid: np.ndarray | None = None

    @property
    def cycles_per_s(self) -> float:
        return self.cycles / self.seconds if self.seconds else float("inf")


class Verilated:
    """An RTL design in a shared library, with a simulation of its own.

    Args:
        design: an Amaranth component, or a `VerilogDesign`.
        name: name of the top module when `design` is a component.
        optimise: C++ options for the model.
        jobs: compilers side by side.
        timeout_s: limit of each tool call, in seconds.
        max_latency: longest latency, in cycles, that the probe of a plain design looks for.

    Raises:
        ToolMissingError: no Verilator or no C++ compiler.
        ToolFailedError: one of them failed or ran past `timeout_s`.

    The library is kept under ``$HWSIM_CACHE`` (default ``~/.cache/hwsim``), keyed by the content of everything that
    goes in, so building the same design again takes milliseconds.
    """

    def __init__(
        self,
        design: wiring.Component | VerilogDesign,
        *,
        name: str = "dut",
        optimise: str = "-O3 -march=native",
        jobs: int = 2,
        timeout_s: float = 600.0,
        max_latency: int = 64,
    ) -> None:
        self.design = design if isinstance(design, VerilogDesign) else to_verilog(design, name)
        self.max_latency = max_latency
        self._inputs = [port for port in self.design.ports if port.direction == "in"]
        self._outputs = [port for port in self.design.ports if port.direction == "out"]
        self._stream, self._plain = _stream_of(self.design), None
        if self._stream is None and len(self._inputs) == len(self._outputs) == 1:
            self._plain = (self._inputs[0], self._outputs[0])
        self._text = driver.render(self.design, self._plain, self._stream)
        self._build = {"optimise": optimise, "jobs": jobs, "timeout_s": timeout_s}
        start = time.perf_counter()
        self._lib = self._load(trace=False)
        self.build_seconds = time.perf_counter() - start
        self._timing: tuple[int, int] | None = None

    def _load(self, trace: bool) -> ctypes.CDLL:
        lib = ctypes.CDLL(str(toolchain.library(self.design, self._text, trace=trace, **self._build)))
        lib.hw_new.restype = ctypes.c_void_p
        return lib

    @property
    def data_ports(self) -> tuple[Port, Port]:
        """The ports that carry samples in and results out.

        Raises:
            UsageError: the design has neither one stream in and out nor one plain port in and out.
        """
        if self._stream is not None:
            source, sink = self._stream
            return self.design.port(f"{source}__payload"), self.design.port(f"{sink}__payload")
        if self._plain is None:
            names = ", ".join(port.name for port in self.design.ports)
            mend = "Drive it with ports(), which takes any set of ports."
            raise UsageError.of(f"{self.design.top} has no one input and output", names, "one of each", mend)
        return self._plain

    def run(
        self,
        x: np.ndarray,
        *,
        in_valid: np.ndarray | None = None,
        out_ready: np.ndarray | None = None,
        trace: str | os.PathLike[str] | None = None,
        trace_cycles: int = 1000,
    ) -> CosimRun:
        """Reset, stream samples through the design and return its outputs and cycles.

        Args:
            x: codes [batch, lanes] of an unsigned or signed integer dtype.
            in_valid, out_ready: bool [cycles], streams only: the source offers the first sample not yet taken
                whenever `in_valid` says so (driven as it stands, so it need not be held), and the sink takes whenever
                `out_ready` says so; the run lasts exactly that many cycles. Without them both are always 1 and the
                run ends when every sample has left.
            trace: write the first `trace_cycles` cycles as VCD to this file.

        Raises:
            ShapeError: wrong shape, dtype or code range.
            UsageError: handshake patterns for plain ports.
            EquivalenceError: a plain design that is no fixed-latency pipeline, or a stream that loses or
                invents samples.
        """
        source, _ = self.data_ports
        x = _codes("x", x, source)
        if self._stream is None:
            if in_valid is not None or out_ready is not None:
                mend = "Leave in_valid and out_ready out."
                raise UsageError.of("plain ports have no handshake", "a handshake pattern", "none", mend)
            return self._run_plain(x, trace, trace_cycles)
        return self._run_stream(x, in_valid, out_ready, trace, trace_cycles)

    def ports(
        self,
        inputs: Mapping[str, np.ndarray],
        cycles: int | None = None,
        *,
        reset: np.ndarray | None = None,
        trace: str | os.PathLike[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Reset, then drive every input port in every cycle and record every output port, before the clock edge.

        Args:
            inputs: port name → codes [cycles, lanes] or [cycles] for a one-lane port; ports left out stay 0.
            cycles: needed when `inputs` is empty.
            reset: bool [cycles], level of the reset in each cycle (default: 0).
            trace: VCD file of all cycles.

        Returns:
            Output port name → codes [cycles, lanes], or [cycles] for a one-lane port.

        Raises:
            ShapeError, UsageError: wrong shapes, an unknown or missing port.
        """
        for name in inputs:
            if self.design.port(name).direction != "in":
                raise UsageError.of(f"port {name}", "an output", "an input port", "Drive inputs only.")
        if cycles is None:
            if not inputs:
                raise UsageError.of("cycles", None, "a number when there are no inputs", "Pass cycles=….")
            cycles = len(next(iter(inputs.values())))
        rows = []
        for port in self._inputs:
            value = inputs.get(port.name)
            codes = np.zeros((cycles, port.lanes), _dtype(port)) if value is None else _rows(port, value)
            check_shape(port.name, codes.shape, "[cycles, lanes]", (cycles, port.lanes))
            rows.append(codes)
        outs = [np.zeros((cycles, port.lanes), _dtype(port)) for port in self._outputs]
        levels = None if reset is None else _bits("reset", reset, cycles)
        with self._simulation(trace, cycles) as sim:
            sim.call("hw_ports", cycles, _pointers(rows), _pointers(outs), _pointer(levels))
        return {port.name: out[:, 0] if port.lanes == 1 else out for port, out in zip(self._outputs, outs, strict=True)}

    def probe(self) -> tuple[int, int]:
        """Latency and initiation interval of a plain design, measured on its RTL (see the module).

        Raises:
            EquivalenceError: no latency up to `max_latency` and interval up to 4 explains what the outputs do, or
                the outputs never change, so that none can be told from another.
        """
        if self._timing is None:
            self._timing = self._measure()
        return self._timing

    def _measure(self) -> tuple[int, int]:
        source, sink = self.data_ports
        rng = np.random.default_rng(_PROBE_SEED)
        for samples in (64, 512, 4096):
            x = rng.integers(0, 1 << source.bits, (samples, source.lanes), dtype=np.uint64).astype(_dtype(source))
            hold = self.max_latency + 2
            held = self._watch(x, hold, 0).reshape(samples, hold, sink.lanes)
            settled = held[:, -1]
            if (held[:, -2] != settled).any():
                break
            if (settled == settled[0]).all():
                continue
            for interval in (1, 2, 3, 4):
                seen = self._watch(x, interval, self.max_latency + 1)
                last = (samples - 1) * interval + 1
                fits = [
                    shift
                    for shift in range(self.max_latency + 1)
                    if np.array_equal(seen[shift : shift + last : interval], settled)
                ]
                # at interval > 1 a result may stay for several cycles; its first cycle is the latency
                if len(fits) == 1 or (fits and interval > 1):
                    return fits[0], interval
            break
        else:
            raise EquivalenceError.of(
                f"latency of {self.design.top}", "outputs that never changed over 4096 random samples",
                "outputs that depend on the inputs", "Probe a network that is not constant.",
            )  # fmt: skip
        raise EquivalenceError.of(
            f"latency of {self.design.top}", f"no shift up to {self.max_latency} cycles that fits",
            "a pipeline of fixed latency without state", "Raise max_latency, or drive it with ports().",
        )  # fmt: skip

    def _watch(self, x: np.ndarray, interval: int, extra: int) -> np.ndarray:
        _, sink = self.data_ports
        y = np.zeros((len(x) * interval + extra, sink.lanes), _dtype(sink))
        with self._simulation(None, 0) as sim:
            sim.call("hw_watch", _pointer(x), len(x), _pointer(y), interval, extra)
        return y

    def _run_plain(self, x: np.ndarray, trace: object, trace_cycles: int) -> CosimRun:
        latency, interval = self.probe()
        _, sink = self.data_ports
        y = np.zeros((len(x), sink.lanes), _dtype(sink))
        with self._simulation(trace, trace_cycles) as sim:
            start = time.perf_counter()
            sim.call("hw_plain", _pointer(x), len(x), _pointer(y), latency, interval)
            seconds = time.perf_counter() - start
        cycles = (len(x) - 1) * interval + latency + 1 if len(x) else 0
        return CosimRun(y, cycles, np.full(len(x), latency, np.int64), interval, seconds, len(x))

    def _run_stream(
        self, x: np.ndarray, in_valid: np.ndarray | None, out_ready: np.ndarray | None, trace: object, trace_cycles: int
    ) -> CosimRun:
        _, sink = self.data_ports
        patterned = in_valid is not None or out_ready is not None
        # without patterns: as many cycles as samples may need at an interval of 16, then it is called stuck
        limit = len(in_valid if in_valid is not None else out_ready) if patterned else 16 * len(x) + 4096
        offers = None if in_valid is None else _bits("in_valid", in_valid, limit)
        takes = None if out_ready is None else _bits("out_ready", out_ready, limit)
        fires = [np.zeros(limit, np.uint8) for _ in range(3)] if patterned else [None] * 3
        y = np.zeros((len(x), sink.lanes), _dtype(sink))
        entered, left, counts = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64), np.zeros(2, np.int64)
        arrays = [offers, takes, y, *fires, entered, left, counts]
        with self._simulation(trace, trace_cycles) as sim:
            start = time.perf_counter()
            cycles = sim.call("hw_stream", _pointer(x), len(x), limit, *map(_pointer, arrays))
            seconds = time.perf_counter() - start
        accepted, given = map(int, counts)
        if given > accepted or (not patterned and given != len(x)):
            raise EquivalenceError.of(
                f"stream {self.design.top}", f"{given} results for {accepted} of {len(x)} samples in {cycles} cycles",
                "one result a sample", "Look at a trace: run(…, trace='wave.vcd').",
            )  # fmt: skip
        gaps = np.diff(entered[:accepted])
        traces = [None if fire is None else fire[:cycles].astype(bool) for fire in fires]
        return CosimRun(
            y[:given], int(cycles), left[:given] - entered[:given], int(np.median(gaps)) if len(gaps) else 1, seconds,
            accepted, *traces,
        )  # fmt: skip

    def _simulation(self, trace: object, cycles: int) -> _Simulation:
        if trace is not None and Path(os.fspath(trace)).suffix == ".fst":
            raise UsageError.of("trace format", trace, "a VCD file", "Name it *.vcd; vcd2fst converts it.")
        lib = self._lib if trace is None else self._load(trace=True)
        return _Simulation(lib, None if trace is None else Path(os.fspath(trace)), cycles)


class _Simulation:
    """One simulation in the library, fresh from reset; ends with the `with` block."""

    def __init__(self, lib: ctypes.CDLL, trace: Path | None, cycles: int) -> None:
        self._lib, self._trace, self._cycles = lib, trace, cycles

    def __enter__(self) -> _Simulation:
        self._sim = ctypes.c_void_p(self._lib.hw_new())
        if self._trace is not None:
            self._trace.parent.mkdir(parents=True, exist_ok=True)
            cycles = ctypes.c_int64(self._cycles + RESET_CYCLES)
            if not self._lib.hw_trace(self._sim, str(self._trace).encode(), cycles):
                raise ToolFailedError.of(
                    "VCD trace", f"cannot open {self._trace}", "a writable file", "Check the path."
                )
        self._lib.hw_reset(self._sim, ctypes.c_int64(RESET_CYCLES))
        return self

    def __exit__(self, *_: object) -> None:
        if self._trace is not None:
            self._lib.hw_untrace(self._sim)
        self._lib.hw_free(self._sim)

    def call(self, function: str, *arguments: object) -> int:
        """Call a loop of the library with arrays as pointers and numbers as int64."""
        entry = getattr(self._lib, function)
        entry.restype = ctypes.c_int64
        return entry(self._sim, *(ctypes.c_int64(a) if isinstance(a, int) else a for a in arguments))


def _stream_of(design: VerilogDesign) -> tuple[str, str] | None:
    """Names of the one input and the one output stream, or None."""
    names: dict[str, list[str]] = {"in": [], "out": []}
    known = {port.name for port in design.ports}
    for port in design.ports:
        stem = port.name.removesuffix("__payload")
        if stem != port.name and {f"{stem}__valid", f"{stem}__ready"} <= known:
            names[port.direction].append(stem)
    return (names["in"][0], names["out"][0]) if len(names["in"]) == len(names["out"]) == 1 else None


def _dtype(port: Port) -> np.dtype:
    return np.dtype(f"u{driver.lane_bytes(port)}")


def _rows(port: Port, value: np.ndarray) -> np.ndarray:
    value = np.asarray(value)
    return _codes(port.name, value[:, None] if value.ndim == 1 and port.lanes == 1 else value, port)


def _codes(name: str, x: np.ndarray, port: Port) -> np.ndarray:
    """`x` as a contiguous array [rows, lanes] of the port's dtype, range checked."""
    x = np.asarray(x)
    check_shape(name, x.shape, "[rows, lanes]", (None, port.lanes))
    top = (1 << port.bits) - 1
    if x.dtype.kind not in "iub":
        raise ShapeError.of(f"{name} dtype", x.dtype, "an integer dtype", "Quantise first.")
    if x.size and (int(x.min()) < 0 or int(x.max()) > top):
        raise ShapeError.of(
            f"{name} is out of range", f"{x.min()}..{x.max()}", f"0..{top}", "Mask to the port's width."
        )
    return np.ascontiguousarray(x, dtype=_dtype(port))


def _bits(name: str, values: np.ndarray, cycles: int) -> np.ndarray:
    values = np.asarray(values)
    check_shape(name, values.shape, "[cycles]", (cycles,))
    return np.ascontiguousarray(values.astype(bool), dtype=np.uint8)


def _pointer(array: np.ndarray | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def _pointers(arrays: list[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))
