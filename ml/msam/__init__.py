"""Momentum-SAM (arXiv 2401.12033): sharpness-aware minimisation at the price of SGD, as ordinary torch optimisers.

    from ml.msam import MSAM
    opt = MSAM(model.parameters(), lr=0.1, weight_decay=5e-4, rho=1.0)
    …                                     # the loop of any torch optimiser
    with opt.unperturbed():               # evaluate, export and save the clean weights
        recalibrate_bn(model, loader)
        torch.save(model.state_dict(), "weights.pt")

Baselines in the same trainer: SGD, Nesterov, SAM, LookSAM, AdamW, RandBET (`ml.msam.train`).
"""

from ml.msam.adamw import AdamWMSAM
from ml.msam.batchnorm import recalibrate_bn
from ml.msam.perturbed import DivergedError
from ml.msam.sam import SAM, LookSAM
from ml.msam.sgd import MSAM

__all__ = ["MSAM", "SAM", "AdamWMSAM", "DivergedError", "LookSAM", "recalibrate_bn"]
