"""Seconds of a training step and of one sentence: DiSAN beside the Bi-LSTM, streamed beside the n²·d form."""

from __future__ import annotations

from typing import Any

from benches import stats
from benches.runner import Context

LENGTHS = (10, 25, 40)
ENCODERS = ("disan", "undirected", "multihead", "bilstm", "cnn")
WIDTHS = {"multihead": 600, "cnn": 300}  # the paper's sizes; others have d = 300
CHART = ("disan", "dense", "bilstm")


class _Timed:
    """A training step, or an inference, of one encoder on a fixed batch of sentences of n words."""

    def __init__(self, name: str, n: int, batch: int, d: int) -> None:
        import torch

        from ml.disan.encoders import encoder

        kind = "disan" if name == "dense" else name
        self.name = name
        width = max(d * WIDTHS.get(kind, 300) // 300, 8)
        generator = torch.Generator().manual_seed(n)
        self.encoder = encoder(kind, d, width)
        self.x = torch.randn(batch, n, d, generator=generator)
        self.lengths = torch.full((batch,), n)

    def _run(self) -> Any:
        import ml.disan.layers as layers
        from ml.disan.attention import dense_attention, masked_attention

        layers.masked_attention = dense_attention if self.name == "dense" else masked_attention
        try:
            return self.encoder(self.x, self.lengths)
        finally:
            layers.masked_attention = masked_attention

    def step(self) -> None:
        """Forward and backward."""
        self.encoder.zero_grad()
        self._run().square().sum().backward()

    def infer(self) -> None:
        """Forward alone."""
        import torch

        with torch.no_grad():
            self._run()


def measure(ctx: Context[Any], progress: Any) -> dict[str, Any]:
    """CPU seconds of one thread, best of rounds in turns; records ratios and latencies."""
    import torch

    config, before = ctx.config, torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, dict[str, float]] = {}
    try:
        for i, n in enumerate(LENGTHS):
            names = (*ENCODERS, "dense") if n <= config.dense_up_to else ENCODERS
            work = {name: _Timed(name, n, config.timing_batch, config.timing_d).step for name in names}
            found[str(n)] = stats.cpu_rounds(work, config.timing_rounds)
            progress(i + 1, len(LENGTHS), f"n = {n}")
        one = {name: _Timed(name, 25, 1, config.timing_d).infer for name in ENCODERS}
        latency = stats.cpu_rounds(one, 5 * config.timing_rounds)
    finally:
        torch.set_num_threads(before)
    how = f"forward and backward, batch {config.timing_batch}, d = {config.timing_d}, CPU seconds of one thread"
    for n in LENGTHS:
        t = found[str(n)]
        ctx.metric(f"time_ratio_vs_bilstm_cpu_n{n}", t["disan"] / t["bilstm"], "×", method=how)
        if "dense" in t:
            ctx.metric(f"streamed_speedup_n{n}", t["dense"] / t["disan"], "×", method=f"whole encoder; {how}")
    for name, seconds in latency.items():
        how = f"one sentence of 25 words, d = {config.timing_d}, CPU, one thread"
        ctx.metric(f"latency_ms_{name}", 1e3 * seconds, "ms", method=how)
    _gpu(ctx)
    return {"steps": found, "batch": config.timing_batch, "d": config.timing_d}


def _gpu(ctx: Context[Any]) -> None:
    """The bar that asks for a GPU: time of a training step at the paper's size, batch 64, n = 25."""
    import torch

    if not torch.cuda.is_available():
        ctx.not_comparable("time_ratio_vs_bilstm", "not run: no CUDA device on this machine")
        return
    taken = {name: _gpu_seconds(_Timed(name, 25, 64, 300)) for name in ("disan", "bilstm")}
    how = f"forward and backward, batch 64, n = 25, d = 300, {torch.cuda.get_device_name()}"
    ctx.metric("time_ratio_vs_bilstm", taken["disan"] / taken["bilstm"], "×", method=how)


def _gpu_seconds(timed: _Timed) -> float:
    """Wall seconds of a step, median of 20 after a warm-up."""
    import torch

    timed.encoder, timed.x, timed.lengths = timed.encoder.cuda(), timed.x.cuda(), timed.lengths.cuda()

    def call() -> None:
        timed.step()
        torch.cuda.synchronize()

    return stats.seconds(call, rounds=20, warm_up=3).value
