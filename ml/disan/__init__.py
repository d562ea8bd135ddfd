"""DiSAN (arXiv 1709.04696): sentences encoded by attention alone, feature by feature, forward and backward.

    from ml.disan import DiSAN, SentenceEncoder, masked_attention
    encoder = DiSAN(300, 300)                        # x [batch, n, 300], lengths [batch] → [batch, 600]
    s = masked_attention(a, q, h, lengths, "fw")     # streamed: never a tensor of n²·d

    sentences = SentenceEncoder.train("trec")        # a trained model with its vocabulary
    sentences.encode(["How far is it from Denver to Aspen ?"]).shape

Baselines of equal size in the same trainer: `ml.disan.encoders`, `ml.disan.train`.
"""

from ml.disan.attention import dense_attention, masked_attention
from ml.disan.encode import SentenceEncoder
from ml.disan.encoders import DiSAN
from ml.disan.layers import DirectionalBlock, Source2Token
from ml.disan.train import DivergedError

__all__ = [
    "DiSAN",
    "DirectionalBlock",
    "DivergedError",
    "SentenceEncoder",
    "Source2Token",
    "dense_attention",
    "masked_attention",
]
