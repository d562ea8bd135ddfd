"""The attention against the paper's n²·d form: values, gradients, memory; the size of the published network."""

from __future__ import annotations

import weakref
from typing import Any

from benches.runner import Context

N_MEMORY, BATCH, D = 64, 4, 100


def measure(ctx: Context[Any]) -> None:
    """Errors in float64, parameters of the SNLI network, bytes of the two forms."""
    import torch

    from ml.disan.encoders import parameters
    from ml.disan.model import SentenceModel

    errors = [_error(kind, ctx.seed) for kind in ("fw", "bw", "none")]
    worst, stray = max(e for e, _ in errors), sum(n for _, n in errors)
    how = "float64, s and all three gradients, random lengths; streamed kernel against the n²·d form"
    ctx.metric("masked_attention_max_err_vs_naive", worst, "", n=len(errors), method=how)
    ctx.metric("rows_without_context_not_zero", stray, "", method="elements of rows with nothing to attend")
    model = SentenceModel(torch.zeros(2, 300), "disan", 300, 3, pairs=True, tune=False)
    how = "built at d_e = d_h = 300, three classes, word vectors not counted"
    ctx.metric("snli_model_parameters", parameters(model), "", method=how)
    peaks = {form: peak_bytes(form, N_MEMORY) for form in ("streamed", "dense")}
    how = f"peak of live tensors, forward and backward, batch {BATCH}, n = {N_MEMORY}, d = {D}, float32"
    ctx.metric("attention_memory_ratio_n64", peaks["streamed"] / peaks["dense"], "×", method=how)
    ctx.metric("attention_mib_dense_n64", peaks["dense"] / 2**20, "MiB", method=how)
    ctx.metric("attention_mib_streamed_n64", peaks["streamed"] / 2**20, "MiB", method=how)


def _error(kind: str, seed: int) -> tuple[float, int]:
    """(largest difference of values and gradients, elements that should be 0 and are not)."""
    import torch

    from ml.disan.attention import dense_attention, mask, masked_attention

    generator = torch.Generator().manual_seed(seed)
    n, lengths = 24, torch.randint(1, 25, (8,), generator=generator)
    *parts, g = (3 * torch.randn(8, n, 16, generator=generator, dtype=torch.float64) for _ in range(4))
    found = []
    forms: tuple[Any, ...] = (masked_attention, dense_attention)
    for form in forms:
        leaves = [t.clone().requires_grad_() for t in parts]
        s = form(*leaves, lengths, kind)
        (s * g).sum().backward()
        found.append([s.detach(), *(t.grad for t in leaves)])
    worst = max(float((a - b).abs().max()) for a, b in zip(*found, strict=True) if a is not None and b is not None)
    alone = ~mask(lengths, n, kind).any(2)
    return worst, int((found[0][0][alone] != 0).sum())


def peak_bytes(form: str, n: int) -> int:
    """Most bytes of tensors alive at once in a forward and backward pass, those of the inputs included."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from ml.disan.attention import dense_attention, masked_attention

    class Watch(TorchDispatchMode):
        """Adds up storages as they come and go."""

        live, peak = 0, 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(out):
                if isinstance(tensor, torch.Tensor):
                    self._add(tensor.untyped_storage())
            return out

        def _add(self, storage: Any) -> None:
            if storage._cdata in known:
                return
            known.add(storage._cdata)
            size = storage.nbytes()
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._drop, storage._cdata, size)

        def _drop(self, key: int, size: int) -> None:
            known.discard(key)
            self.live -= size

    known: set[int] = set()
    run: Any = masked_attention if form == "streamed" else dense_attention
    with Watch() as watch:
        leaves = [torch.randn(BATCH, n, D).requires_grad_() for _ in range(3)]
        run(*leaves, torch.full((BATCH,), n), "fw").sum().backward()
    return int(watch.peak)
