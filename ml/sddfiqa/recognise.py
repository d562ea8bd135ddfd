"""Recognisers: face chips to embeddings. Labels and curves take any of them, or embeddings from elsewhere.

| name | what | needs |
|---|---|---|
| `DlibRecogniser` | dlib's ResNet-29, 128 values; aligns by five landmarks | the extra "faces" |
| `OnnxRecogniser` | any ONNX file: one image in, one embedding out | the extra "onnx" |
| `ml.sddfiqa.facenet.FaceNet` | a small network trained here | – |
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hwsim.ir.errors import ShapeError, ToolMissingError, UsageError, check_shape
from ml.sddfiqa.degrade import resized

Progress = Callable[[int, int, str], None]
DLIB_SIDE = 150  # what dlib's network takes
_MEND = "Install it with: pip install dlib-bin face_recognition_models"


class Recogniser(Protocol):
    """Chips uint8 [n, side, side] to embeddings float32 [n, d]."""

    def embed(self, chips: np.ndarray, progress: Progress | None = None) -> np.ndarray: ...


def check_chips(chips: Any) -> np.ndarray:
    """`chips` as uint8 [n, side, side].

    Raises:
        ShapeError: another shape or type.
    """
    chips = np.asarray(chips)
    check_shape("chips", chips.shape, "[n, side, side]", (None, None, chips.shape[1] if chips.ndim == 3 else None))
    if chips.dtype != np.uint8:
        raise ShapeError.of("chips", f"{chips.dtype}", "uint8 grey levels", "Convert them.")
    return chips


class DlibRecogniser:
    """dlib's face recognition network (King 2017, public domain weights) on aligned grey chips.

    Raises:
        ToolMissingError: dlib or its weights are not installed.
    """

    name = "dlib ResNet-29"

    def __init__(self) -> None:
        # the weights' package can't be imported where pkg_resources is gone; its folder is enough
        models, tool = find_spec("face_recognition_models"), find_spec("dlib")
        if models is None or tool is None or not models.submodule_search_locations:
            missing = "dlib" if tool is None else "face_recognition_models"
            raise ToolMissingError.of("dlib's recogniser", f"no package {missing}", "both packages", _MEND)
        import dlib

        folder = Path(models.submodule_search_locations[0]) / "models"
        self._dlib: Any = dlib
        self._net = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        self._landmarks = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._detector = dlib.get_frontal_face_detector()

    def embed(self, chips: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Embeddings float32 [n, 128]; 0.06 s a chip on one core."""
        chips = check_chips(chips)
        made = np.empty((len(chips), 128), np.float32)
        for i, chip in enumerate(chips):
            made[i] = self._net.compute_face_descriptor(_colour(resized(chip, DLIB_SIDE)))
            if progress:
                progress(i + 1, len(chips), "chips embedded")
        return made

    def align(self, image: np.ndarray, side: int) -> np.ndarray | None:
        """The face of a grey image uint8 [h, w] as a chip uint8 [side, side]; None when no face is found."""
        # faces that fill the picture are found once there is something around them
        image = _colour(np.pad(image, min(image.shape) // 6, mode="edge"))
        found = self._detector(image, 1)
        if not found:
            return None
        shape = self._landmarks(image, max(found, key=lambda face: face.area()))
        return self._dlib.get_face_chip(image, shape, size=side, padding=0.25)[:, :, 0]


class OnnxRecogniser:
    """Any ONNX network of one image input [1 or n, 3, side, side] and one embedding output.

    Pixels become (v − 127.5)/128, grey in all three colours, as ArcFace's published networks take them.

    Raises:
        ToolMissingError: onnxruntime is not installed.
        UsageError: no such file, or a network of other inputs and outputs.
    """

    def __init__(self, path: str | Path) -> None:
        if find_spec("onnxruntime") is None:
            mend = "Install it with: pip install 'hwsim[onnx]' onnxruntime"
            raise ToolMissingError.of("an ONNX recogniser", "no package onnxruntime", "it installed", mend)
        if not Path(path).is_file():
            raise UsageError.of("ONNX recogniser", f"no file {path}", "a network in ONNX form", "Correct the path.")
        import onnxruntime

        self.name = Path(path).stem
        self._run = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        inputs, outputs = self._run.get_inputs(), self._run.get_outputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
            got = f"{len(inputs)} inputs {shape}, {len(outputs)} outputs"
            raise UsageError.of(f"{path}", got, "one input [n, 3, side, side], one output", "Export it so.")
        self._input, self._side = inputs[0].name, int(shape[2])

    def embed(self, chips: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Embeddings float32 [n, d]."""
        chips = check_chips(chips)
        made = []
        for i, chip in enumerate(chips):
            x = (_colour(resized(chip, self._side)).astype(np.float32) - 127.5) / 128
            made.append(np.asarray(self._run.run(None, {self._input: x.transpose(2, 0, 1)[None]})[0]).ravel())
            if progress:
                progress(i + 1, len(chips), "chips embedded")
        return np.array(made, np.float32)


def _colour(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(image[:, :, None], 3, axis=2))
