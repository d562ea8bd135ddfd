"""Published annealers: A(s), B(s), temperature, graph and timing (``hwsim/tech/qpu.toml``).

    H(s) = −A(s)/2·Σ σx + B(s)/2·(Σ h σz + Σ J σz σz)

with A and B in GHz (times Planck's constant); k/h = 20.8366 GHz/K.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from hwsim.ir.errors import UsageError

GHZ_PER_KELVIN = 20.836619  # k/h, CODATA 2018: 1.380649e-23 / 6.62607015e-34 Hz/K
S_GRID = np.linspace(0.0, 1.0, 21)  # where the tables of A stand


@dataclass(frozen=True)
class Device:
    """One annealer.

    Attributes:
        name: D-Wave's solver name without its minor version.
        topology: ``"pegasus"`` or ``"zephyr"``; `shape` as in D-Wave's solver properties.
        qubits: working qubits of the real processor.
        b_ghz: (b2, b1, b0) of B(s) = b2 s² + b1 s + b0.
        log_a: ln A(s)/GHz at s = 0, 0.05 … 1.
        temperature_mk: millikelvin.
        readout_us: readout time of one qubit and of all.
        programming_us, delay_us: programming time of a submission, delay after each read.
    """

    name: str
    topology: str
    shape: tuple[int, ...]
    qubits: int
    b_ghz: tuple[float, float, float]
    log_a: tuple[float, ...]
    temperature_mk: float
    readout_us: tuple[float, float]
    programming_us: float
    delay_us: float

    def a(self, s: np.ndarray | float) -> np.ndarray:
        """A(s) in GHz: transverse field."""
        return np.exp(np.interp(s, S_GRID, self.log_a))

    def b(self, s: np.ndarray | float) -> np.ndarray:
        """B(s) in GHz: energy scale of the problem."""
        return np.polyval(self.b_ghz, s)

    def reduced(self, s: np.ndarray, temperature_mk: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Hp = B/2kT and Hd = A/2kT, without unit, at every s.

        Example:
            >>> hp, hd = device("Advantage_system4").reduced(np.array([0.4, 1.0]))
            >>> hp.round(2).tolist(), hd.round(2).tolist()
            ([3.37, 13.21], [0.79, 0.0])
        """
        two_kt = 2 * GHZ_PER_KELVIN * 1e-3 * (temperature_mk or self.temperature_mk)
        return self.b(s) / two_kt, self.a(s) / two_kt


@cache
def devices() -> tuple[str, ...]:
    """Names of the known annealers."""
    return tuple(_table())


@cache
def device(name: str) -> Device:
    """The annealer `name`.

    Raises:
        UsageError: unknown name.
    """
    if name not in _table():
        raise UsageError.of("device", repr(name), f"one of {', '.join(devices())}", "Choose one of them.")
    entry = _table()[name]
    b2, b1, b0 = entry["b"]
    if "a_ghz" in entry:
        log_a = np.log(entry["a_ghz"])
    else:
        log_a = np.array(device(entry["a_like"]).log_a)
        s = entry["crossing_s"]
        log_a += np.log(np.polyval(entry["b"], s)) - np.interp(s, S_GRID, log_a)
    return Device(
        name, entry["topology"], tuple(entry["shape"]), entry["qubits"], (b2, b1, b0), tuple(log_a.tolist()),
        entry["temperature_mk"], tuple(entry["readout_us"]), 1e3 * entry["programming_ms"], entry["delay_us"],
    )  # fmt: skip


@cache
def _table() -> dict:
    return tomllib.loads(resources.files("hwsim.tech").joinpath("qpu.toml").read_text(encoding="utf-8"))
