"""Encoders by name, as the command line takes them.

| name | encoder |
|---|---|
| ``lsa`` | TF-IDF and SVD, fitted on the folder itself |
| ``minilm`` | the packaged sentence transformer all-MiniLM-L6-v2 (extra ``[search]``) |
| ``disan:FILE`` | a file of ``ml.disan.SentenceEncoder.save`` |
| any other | a sentence transformer: a name of the model hub, or a folder |
"""

from __future__ import annotations

from pathlib import Path

from hwsim.ir.errors import UsageError
from ml.semsearch.encoders.encoder import Encoder
from ml.semsearch.encoders.transformer import DEFAULT, SentenceTransformerEncoder

DISAN = "disan:"
# Share of the vectors beside keywords: near what the bench's folds choose on real corpora. DiSAN's add next to nothing
# (Cranfield and CISI: at best 0.002 nDCG@10, at 0.1; from 0.2 on they cost some).
_WEIGHTS = {"lsa": 0.5, "disan": 0.1}
_TRANSFORMER_WEIGHT = 0.7


def canonical(name: str) -> str:
    """One spelling for one encoder: whole paths, ``minilm`` for its long name.

    Raises:
        UsageError: an empty name, or ``disan:`` without a file.

    Example:
        >>> canonical("sentence-transformers/all-MiniLM-L6-v2")
        'minilm'
    """
    if name.startswith(DISAN) and name != DISAN:
        return DISAN + str(Path(name.removeprefix(DISAN)).expanduser().resolve())
    if not name or name == DISAN:
        want = f"lsa, minilm, {DISAN}FILE, or a sentence transformer's name or folder"
        raise UsageError.of("encoder", repr(name), want, "Name one.")
    if (folder := Path(name).expanduser()).is_dir():
        return str(folder.resolve())
    return "minilm" if name in (DEFAULT, f"sentence-transformers/{DEFAULT}") else name


def named(name: str) -> Encoder:
    """The encoder of a canonical name, other than ``lsa``, which has to be fitted.

    Raises:
        ToolMissingError, UsageError: as `SentenceTransformerEncoder`.   DataError: no DiSAN file, or a damaged one.
    """
    if name.startswith(DISAN):
        from benches.semsearch.disan import load

        return load(Path(name.removeprefix(DISAN)))
    return SentenceTransformerEncoder(DEFAULT if name == "minilm" else name)


def weight(name: str) -> float:
    """Share of the vectors in a hybrid search with an encoder."""
    return _WEIGHTS.get(name.split(":")[0], _TRANSFORMER_WEIGHT)
