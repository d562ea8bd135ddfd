"""Neurons of a `spiking_net`, in integers.

| kind | a step with current a, or a window |
|---|---|
| if | v ← v + b + a |
| lif | v ← dec(v) + b + a |
| cuba | u ← dec_i(u) + a;  v ← dec(v) + b + u |
| readout | z ← b + Σ of all currents; never fires |
| window | single spike against the falling threshold θ(t) = 2T − t (STD-ED, arXiv 2403.00270) |
| pool | fires in each step (window nets: only the first) in which one of its inputs fires |

if, lif and cuba then saturate u and v to `state_bits`, sit out the refractory time, and compare with the threshold.
Loss of c = `v_loss` or `i_loss`, k = `decay_bits`; `leak` picks the rule:

    toward_zero  dec(v) = sgn(v)·⌊|v|·(2^k − c) / 2^k⌋    (Loihi: Davies et al., IEEE Micro 2018; k = 12)
    floor        dec(v) = ⌊v·(2^k − c) / 2^k⌋
    linear       dec(v) = sgn(v)·max(|v| − c, 0)           (tinyODIN's leak)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hwsim.ir.errors import ArtifactError
from hwsim.ir.synapses import check_array

PopulationKind = Literal["if", "lif", "cuba", "readout", "window", "pool"]
CLOCKED: tuple[PopulationKind, ...] = ("if", "lif", "cuba")
LEAKS = ("toward_zero", "floor", "linear")
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": (*CLOCKED, "readout", "window", "pool"), "compare": (">=", ">"), "reset": ("value", "subtract"),
    "leak": LEAKS,
}  # fmt: skip


def _no_numbers() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one layer.

    Attributes:
        kind: see the module.
        n: neurons.
        threshold: int32 [n], > 0, for if, lif and cuba; else [0].
        compare: the neuron fires when v ``compare`` threshold.
        reset: ``"value"``: v ← `reset_value`; ``"subtract"``: v ← v − threshold.
        reset_value: where v goes; 0 for the published rules.
        refractory: steps after the spike's own in which v stays at `reset_value` and the neuron can not fire. (Loihi
            counts the spike's own step too: its refractory delay of 1 is 0 here.)
        v_loss, i_loss: c of the decays, 0…2^decay_bits.
        decay_bits: k, 1…16.
        leak: rule of both decays.
        bias: int32 [n] added to v in every step (readout: once), or [0].
        delay: steps from a spike to its arrival at the next layer, 0…steps.
        state_bits: width of u and v, 4…32; both saturate, after the currents of a step have been added.
    """

    kind: PopulationKind
    n: int
    threshold: np.ndarray = field(default_factory=_no_numbers)
    compare: Literal[">=", ">"] = ">="
    reset: Literal["value", "subtract"] = "value"
    reset_value: int = 0
    refractory: int = 0
    v_loss: int = 0
    i_loss: int = 0
    decay_bits: int = 12
    leak: Literal["toward_zero", "floor", "linear"] = "toward_zero"
    bias: np.ndarray = field(default_factory=_no_numbers)
    delay: int = 0
    state_bits: int = 32

    @property
    def low(self) -> int:
        """Least value of u and v."""
        return -(1 << (self.state_bits - 1))

    @property
    def high(self) -> int:
        """Largest value of u and v."""
        return -self.low - 1

    @property
    def spiking(self) -> bool:
        return self.kind != "readout"

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                got = repr(getattr(self, name))
                raise ArtifactError.of(f"{where}: {name}", got, f"one of {', '.join(known)}", "Choose one of them.")
        bounds = {
            "n": (1, 2**24), "refractory": (0, 2**15 - 1), "decay_bits": (1, 16), "delay": (0, 2**15 - 1),
            "state_bits": (4, 32),
        }  # fmt: skip
        loss = (0, 1 << self.decay_bits) if self.leak != "linear" else (0, 2**31 - 1)
        bounds |= {"v_loss": loss, "i_loss": loss}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ArtifactError.of(f"{where}: {name}", value, f"{low}…{high}", "Choose another value.")
        if self.kind == "if" and self.v_loss:
            raise ArtifactError.of(f"{where}: v_loss of an if population", self.v_loss, 0, "Make it a lif population.")
        self._validate_numbers(where)

    def _validate_numbers(self, where: str) -> None:
        for name, array in (("threshold", self.threshold), ("bias", self.bias)):
            check_array(where, name, array, np.int32, 1)
        want = self.n if self.kind in CLOCKED else 0
        if len(self.threshold) != want:
            expected = f"{want} for {self.n} {self.kind} neurons"
            raise ArtifactError.of(f"{where}: thresholds", len(self.threshold), expected, "Give one a neuron.")
        if len(self.bias) not in ((0,) if self.kind in ("window", "pool") else (0, self.n)):
            raise ArtifactError.of(f"{where}: bias", f"{len(self.bias)} values", f"none or {self.n}", "Mend the bias.")
        if want and (int(self.threshold.min()) <= 0 or int(self.threshold.max()) > self.high):
            at = int(((self.threshold <= 0) | (self.threshold > self.high)).argmax())
            expected = f"1…{self.high}, what v can reach in {self.state_bits} bits"
            raise ArtifactError.of(
                f"{where}: threshold of neuron {at}", int(self.threshold[at]), expected,
                "Scale weights and thresholds together.",
            )  # fmt: skip
        if not self.low <= self.reset_value <= self.high or (want and self.reset_value >= int(self.threshold.min())):
            raise ArtifactError.of(f"{where}: reset_value", self.reset_value, "below every threshold", "Lower it.")

    def decayed(self, v: np.ndarray, loss: int) -> np.ndarray:
        """int64 dec(v)."""
        k, kept = self.decay_bits, (1 << self.decay_bits) - loss
        if self.leak == "linear":
            return np.sign(v) * np.maximum(np.abs(v) - loss, 0)
        if self.leak == "floor":
            return (v * kept) >> k
        return np.sign(v) * ((np.abs(v) * kept) >> k)

    def run(self, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spikes and membranes of clocked neurons.

        Args:
            current: int64 [batch, steps, n].

        Returns:
            Spikes uint8 [batch, steps, n] in the steps in which neurons fire (`delay` is not in it), and v int64
            [batch, steps, n] before the reset.
        """
        batch, steps, n = current.shape
        spikes, membranes = np.zeros((batch, steps, n), np.uint8), np.zeros((batch, steps, n), np.int64)
        u, v, held = (np.zeros((batch, n), np.int64) for _ in range(3))
        bias = self.bias.astype(np.int64) if len(self.bias) else 0
        for t in range(steps):
            a = current[:, t]
            if self.kind == "cuba":
                u = a = np.clip(self.decayed(u, self.i_loss) + a, self.low, self.high)
            v = np.clip(self.decayed(v, self.v_loss) + bias + a, self.low, self.high)
            v = np.where(held > 0, self.reset_value, v)
            above = v > self.threshold if self.compare == ">" else v >= self.threshold
            fires = above & (held == 0)
            spikes[:, t], membranes[:, t] = fires, v
            after = v - self.threshold if self.reset == "subtract" else self.reset_value
            v = np.where(fires, after, v)
            held = np.where(fires, self.refractory, np.maximum(held - 1, 0))
        return spikes, membranes

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        arrays = ("threshold", "bias")
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in arrays}
        return {name: getattr(self, name) for name in arrays}, fields

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Population:
        return cls(threshold=tensors["threshold"], bias=tensors["bias"], **fields)


def threshold(value: int, n: int) -> np.ndarray:
    """int32 [n]: one threshold for all neurons."""
    return np.full(n, value, np.int32)


def window_times(S: np.ndarray, M: np.ndarray, fraction: int, steps: int) -> np.ndarray:
    """Spike times of window neurons, in ticks of their window (STD-ED, equation of the falling threshold).

        D(τ) = T·S − M − T·2^f + τ·(S + 2^f);   the neuron fires at the first τ in 0 … T − 1 with D(τ) ≥ 0

    Args:
        S: int64, Σ w of the inputs that fired.
        M: int64, Σ w·t.
        fraction: f, of the weights.
        steps: T.

    Returns:
        int64 of the same shape, 0 … T − 1, or −1 for no spike.

    Example:
        >>> window_times(np.array([4, 8, -1]), np.array([0, 0, 0]), 3, 4).tolist()
        [2, 0, -1]
    """
    d = steps * S - M - (steps << fraction)
    q = S + (1 << fraction)
    out = np.full(np.shape(S), -1, np.int64)
    for tau in range(steps):
        out = np.where((out < 0) & (d + tau * q >= 0), tau, out)
    return out
