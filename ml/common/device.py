"""Choice of the device to train on."""

from __future__ import annotations

import torch

from hwsim.ir.errors import UsageError


def choose(name: str = "auto") -> torch.device:
    """The torch device called `name`; "auto" is the first CUDA device where there is one, else the CPU.

    Raises:
        UsageError: an unknown name, or a device this machine or this build of torch does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError.of("unknown device", repr(name), "auto, cpu, cuda or cuda:N", "Change --device.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError.of(
            "no such device",
            repr(name),
            "a CUDA device that torch can see",
            "Use --device cpu, or install a CUDA build.",
        )
    if device.type not in ("cpu", "cuda"):
        raise UsageError.of("unsupported device", repr(name), "auto, cpu, cuda or cuda:N", "Change --device.")
    return device
