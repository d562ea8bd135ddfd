"""Text encoders: TF-IDF with SVD, sentence transformers, and any function (`InjectedEncoder`)."""

from ml.semsearch.encoders.encoder import Encoder, InjectedEncoder, normalised
from ml.semsearch.encoders.lsa import Lsa

__all__ = ["Encoder", "InjectedEncoder", "Lsa", "normalised"]
