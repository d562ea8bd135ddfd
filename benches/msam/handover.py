"""One MSAM and one SGD network as artifacts: files, equality of the models, cycles and energy where simulated."""

from __future__ import annotations

from typing import Any

from benches import stats
from benches.msam import mac, spiking
from benches.msam.methods import BY_NAME, train_digits
from benches.runner import Context

SAMPLES = 100  # images on which every output code is compared


def measure(ctx: Context[Any]) -> None:
    """Write `encoded_mac` and `spiking_net` files; compare fast evaluation with the artifacts' `reference`."""
    from hwsim.ir import io
    from ml.msam import bits

    equal = {"mac": 0, "snn": 0}
    for method in ("sgd", "msam"):
        model, task, _ = train_digits(method, ctx.seed, ctx.config.digits_epochs, BY_NAME[method].options)
        made = [bits.encode(w.detach(), 8) for w in bits.weight_matrices(model).values()]
        harsh = mac.network(model, task, mac.units()[mac.HARSH])
        artifacts = {
            "exact": mac.network(model, task, mac.units()["truncated0"]),
            mac.HARSH: harsh,
            "snn": spiking.to_snn(model, task, [c.numpy() for c, _ in made], [step for _, step in made], 8),
        }
        for name, artifact in artifacts.items():
            path = ctx.folder / f"{method}-{name}{io.SUFFIX}"
            io.save(artifact, path)
            ctx.artifact(path, f"{method}, {name}")
        equal["mac"] += mac.equal_samples(harsh, task, SAMPLES)
        equal["snn"] += spiking.equal_samples(model, task, SAMPLES)
    for name, value in equal.items():
        ctx.metric(f"{name}_equal_samples", value, "", n=2 * SAMPLES, method="evaluation of the study = reference")
    ctx.metric("handover_samples", 2 * SAMPLES, "")
    for name in (mac.HARSH, "booth11"):
        ctx.metric(f"product_error_{name}", stats.Figure(mac.error_of(name)), "%", method="rms over all operands")
