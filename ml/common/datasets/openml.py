"""jsc_openml: OpenML 42468 `hls4ml_lhc_jets_hlf`, 830 000 jets with 16 features and 5 classes.

The catalogue of OpenML names the data file and its MD5; the file is checked against it on arrival, and its SHA-256
is recorded in the lock file of the cache, which every later use is checked against. The split is the field's:
scikit-learn's `train_test_split(test_size=0.2, random_state=42)` in file order, standardised by the training part
(hls4ml tutorial).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError

from . import download
from .dataset import Dataset, Labels, Progress
from .jets import CITATION, CLASSES, FEATURES, LICENCE
from .store import Found, RemoteFile, UnreachableError, cache_folder, check_locked, data_root, is_offline, no_download

DATA_ID = 42468
CATALOGUE_URL = f"https://www.openml.org/api/v1/json/data/{DATA_ID}"
FILE_NAME = "hls4ml_lhc_jets_hlf.arff"
MIN_ROWS = 800_000  # the published set has 830 000: fewer means another or a cut file
TEST_FRACTION = 0.2
SPLIT_SEED = 42

_HOW = f"Put {FILE_NAME} into $HWSIM_DATA/jsc_openml, or connect and load again."


def load_openml_jets(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """The full jet data set; x float32 ``[n, 16]`` standardised, y by ``("g", "q", "t", "w", "z")``.

    Extras: ``mean`` and ``scale`` float32 ``[16]`` of the training part; raw features are ``x * scale + mean``.

    Raises:
        UnreachableError: not on this machine, and OpenML does not answer.
        DataError: the file is damaged, changed since its first use, or not this data set.
    """
    from sklearn.model_selection import train_test_split

    found = _find(root, progress)
    file = RemoteFile(FILE_NAME)
    path = found.path(file)
    x, y = read_arff(path)
    if len(x) < MIN_ROWS:
        raise DataError.of(f"rows of {path}", len(x), f"at least {MIN_ROWS}", "Delete the file and load again.")
    digest = check_locked(found, file)  # recorded only now that the file has proved to be the data set
    train, test = train_test_split(np.arange(len(x)), test_size=TEST_FRACTION, random_state=SPLIT_SEED)
    mean = x[train].mean(axis=0, dtype=np.float64)
    scale = x[train].std(axis=0, dtype=np.float64)
    x = ((x - mean) / scale).astype(np.float32)
    return Dataset(
        name="jsc_openml",
        variant=f"JSC OpenML {DATA_ID}",
        source=found.source,
        location=str(path),
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        feature_names=FEATURES,
        class_names=CLASSES,
        licence=LICENCE,
        citation=CITATION,
        sha256s={FILE_NAME: digest},
        extras={"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)},
    )


def read_arff(path: Path) -> tuple[NDArray[np.float32], Labels]:
    """Features float32 ``[n, 16]`` in the order of `FEATURES` and labels of an ARFF file with these columns.

    Raises:
        DataError: no ARFF header, other columns or classes, or a line that does not fit.
    """
    columns, n_header = _arff_header(path)
    label_column = next((name for name, kind in columns if kind.startswith("{")), None)
    numbers = [name for name, _ in columns if name != label_column]
    if sorted(numbers) != sorted(FEATURES) or label_column is None:
        raise DataError.of(
            f"columns of {path}",
            [name for name, _ in columns],
            f"{list(FEATURES)} and a class",
            "Use the original file.",
        )
    row_type = [(name, "U8" if name == label_column else "f4") for name, _ in columns]
    try:
        rows = np.loadtxt(path, dtype=row_type, delimiter=",", skiprows=n_header, comments="%", quotechar="'", ndmin=1)
    except ValueError as error:
        raise DataError.of(
            f"data of {path}", error, f"{len(columns)} values a line", "Delete it and load again."
        ) from error
    labels = np.char.strip(rows[label_column], " '\"")
    y = np.searchsorted(CLASSES, labels).clip(0, len(CLASSES) - 1).astype(np.int64)
    if not np.array_equal(np.asarray(CLASSES)[y], labels) or len(np.unique(y)) != len(CLASSES):
        raise DataError.of(f"classes of {path}", np.unique(labels).tolist(), list(CLASSES), "Use the original file.")
    x = np.stack([rows[name] for name in FEATURES], axis=1)
    if not np.isfinite(x).all():
        raise DataError.of(f"data of {path}", "values that are not finite", "finite numbers", "Use the original file.")
    return x, y


def _arff_header(path: Path) -> tuple[list[tuple[str, str]], int]:
    """Name and kind of each attribute, and the number of lines up to and with ``@DATA``."""
    columns: list[tuple[str, str]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            words = line.strip()
            if words.lower().startswith("@data"):
                return columns, number
            match = re.match(r"@attribute\s+(?:'([^']*)'|\"([^\"]*)\"|(\S+))\s+(.*)", words, re.IGNORECASE)
            if match:
                columns.append(((match[1] or match[2] or match[3]), match[4]))
            elif words and words[0] not in "%@":
                break
    raise DataError.of(f"header of {path}", "no @DATA line", "an ARFF file", "Delete it and load again.")


def _find(root: str | Path | None, progress: Progress | None) -> Found:
    base, cache = data_root(root), cache_folder("jsc_openml")
    if base is not None and (base / "jsc_openml" / FILE_NAME).is_file():
        return Found(base / "jsc_openml", "$HWSIM_DATA")
    if (cache / FILE_NAME).is_file():
        return Found(cache, "cache")
    what, got = "data set jsc_openml", "no copy on this machine"
    if is_offline():
        raise UnreachableError.of(what, f"{got}, and {no_download()} forbids a download", FILE_NAME, _HOW)
    try:
        url, md5 = read_catalogue(download.fetch_text(CATALOGUE_URL))
        download.fetch(RemoteFile(FILE_NAME, (url,)), cache, progress, known_hash=f"md5:{md5}")
    except download.NoAnswerError as error:
        raise UnreachableError.of(what, f"{got}, and {error}", FILE_NAME, _HOW) from error
    return Found(cache, "download")


def read_catalogue(text: str) -> tuple[str, str]:
    """URL and MD5 of the data file, from OpenML's description of the data set.

    Raises:
        DataError: the answer does not hold them.
    """
    try:
        description = json.loads(text)["data_set_description"]
        url, md5 = str(description["url"]), str(description["md5_checksum"]).lower()
    except (ValueError, KeyError, TypeError) as error:
        raise DataError.of(
            CATALOGUE_URL, f"{text[:80]!r}", "a data_set_description with url and md5_checksum", _HOW
        ) from error
    if not re.fullmatch(r"[0-9a-f]{32}", md5) or not url.startswith(("https://", "http://")):
        raise DataError.of(CATALOGUE_URL, f"url {url!r}, md5 {md5!r}", "a web address and 32 hexadecimal digits", _HOW)
    return url, md5
