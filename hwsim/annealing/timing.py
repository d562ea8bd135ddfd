"""``info["timing"]`` of a submission, by D-Wave's timing model.

The model is that of ``StructuredSolver.estimate_qpu_access_time`` (dwave-cloud-client 0.14, version 1.0.x):

    access = programming + reads·(anneal + readout(qubits) + delay + max(readout thermalisation, decorrelation))

Its data is the solver property ``problem_timing_data``, made here from ``hwsim/tech/qpu.toml``; the increments of
reverse annealing, the thermalisation and the decorrelation are those of Advantage_system4.1 as published with
dwave-cloud-client (``dwave.cloud.testing.mocks.qpu_problem_timing_data``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwsim.annealing.devices import Device

OVERHEAD_US = 1000.0  # not part of the access time; D-Wave's documentation shows about 1 ms


def problem_timing_data(device: Device, num_qubits: int) -> dict[str, Any]:
    """The solver property of that name; readout time is linear in log qubits, log time between one qubit and all."""
    return {
        "version": "1.0.0",
        "typical_programming_time": device.programming_us,
        "reverse_annealing_with_reinit_prog_time_delta": 0.0,
        "reverse_annealing_without_reinit_prog_time_delta": 5.55,
        "default_programming_thermalization": 1000.0,
        "default_annealing_time": 20.0,
        "readout_time_model": "pwl_log_log",
        "readout_time_model_parameters": [0.0, float(np.log10(num_qubits)), *np.log10(device.readout_us).tolist()],
        "qpu_delay_time_per_sample": device.delay_us,
        "reverse_annealing_with_reinit_delay_time_delta": -4.5,
        "reverse_annealing_without_reinit_delay_time_delta": -1.5,
        "default_readout_thermalization": 0.0,
        "decorrelation_max_nominal_anneal_time": 2000.0,
        "decorrelation_time_range": [500.0, 10000.0],
    }


def timing(
    data: Mapping[str, Any], num_qubits: int, num_reads: int, anneal_us: float, *, reverse: bool, reinitialize: bool,
    programming_thermalization: float | None, readout_thermalization: float | None, decorrelate: bool,
) -> dict[str, float]:  # fmt: skip
    """Microseconds of a submission, under the names that a QPU answers with."""
    sort = "with" if reinitialize else "without"
    programming = data["typical_programming_time"]
    programming += programming_thermalization or data["default_programming_thermalization"]
    delay = data["qpu_delay_time_per_sample"]
    if reverse:
        programming += data[f"reverse_annealing_{sort}_reinit_prog_time_delta"]
        delay += data[f"reverse_annealing_{sort}_reinit_delay_time_delta"]
    parameters = data["readout_time_model_parameters"]
    half = len(parameters) // 2
    readout = float(10 ** np.interp(np.log10(max(num_qubits, 1)), parameters[:half], parameters[half:]))
    wait = readout_thermalization or data["default_readout_thermalization"]
    if decorrelate:
        low, high = data["decorrelation_time_range"]
        wait = max(wait, anneal_us / data["decorrelation_max_nominal_anneal_time"] * (high - low) + low)
    delay += wait
    sampling = num_reads * (anneal_us + readout + delay)
    times = {
        "qpu_sampling_time": sampling,
        "qpu_anneal_time_per_sample": anneal_us,
        "qpu_readout_time_per_sample": readout,
        "qpu_access_time": sampling + programming,
        "qpu_access_overhead_time": OVERHEAD_US,
        "qpu_programming_time": programming,
        "qpu_delay_time_per_sample": delay,
        "total_post_processing_time": 0.0,
        "post_processing_overhead_time": 0.0,
    }
    return {name: round(value, 2) for name, value in times.items()}
