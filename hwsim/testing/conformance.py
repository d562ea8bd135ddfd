"""What every IR kind must do, as a pytest class that a new kind gets for free.

class TestMyKind(ArtifactConformance):
    artifacts = my_strategy()

    def inputs(self, draw, artifact): ...
    def naive(self, artifact, sample): ...
    def broken(self): ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.ir import io
from hwsim.ir.artifact import Artifact, kind_named, kinds
from hwsim.ir.errors import ArtifactError, ShapeError

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


def with_header(data: bytes, **changes: Any) -> bytes:
    """A serialised artifact with fields of its JSON header replaced (its digest is left as it was)."""
    length = int.from_bytes(data[:8], "little")
    outer = msgspec.json.decode(data[8 : 8 + length])
    header = {**msgspec.json.decode(outer["__metadata__"]["hwir"]), **changes}
    outer["__metadata__"]["hwir"] = msgspec.json.encode(header).decode()
    encoded = msgspec.json.encode(outer)
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + data[8 + length :]


class ArtifactConformance:
    """Inherit, set `artifacts`, and override the three hooks.

    Attributes:
        artifacts: strategy for artifacts of one kind.
    """

    artifacts: st.SearchStrategy[Artifact]

    # -- hooks ---------------------------------------------------------------------------------------------

    def inputs(self, draw: Any, artifact: Any) -> np.ndarray:
        """Draw an input array that fits `artifact`, one sample a row."""
        raise NotImplementedError

    def naive(self, artifact: Any, sample: np.ndarray) -> Sequence[int] | int:
        """`reference` of one sample, in plain Python."""
        raise NotImplementedError

    def broken(self) -> Iterator[tuple[Artifact, dict[str, Any], str]]:
        """(artifact, fields to replace, regular expression of the message) for each rule of the kind."""
        raise NotImplementedError

    # -- the file ------------------------------------------------------------------------------------------

    @SETTINGS
    @given(data=st.data())
    def test_round_trip_is_byte_equal(self, data: st.DataObject) -> None:
        artifact = data.draw(self.artifacts)
        image = io.to_bytes(artifact)
        again = io.from_bytes(image)
        assert type(again) is type(artifact)
        assert io.to_bytes(again) == image
        assert io.artifact_id(again) == io.artifact_id(artifact)

    def test_save_and_load_keep_the_id(self, tmp_path: Path) -> None:
        artifact = self.example()
        path = tmp_path / f"sub/a{io.SUFFIX}"
        assert io.save(artifact, path) == io.artifact_id(artifact) == io.artifact_id(io.load(path))
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    @SETTINGS
    @given(data=st.data())
    def test_from_tensors_inverts_to_tensors(self, data: st.DataObject) -> None:
        artifact = data.draw(self.artifacts)
        tensors, header = artifact.to_tensors()
        again, header_again = type(artifact).from_tensors(tensors, header).to_tensors()
        assert header_again == header
        assert again.keys() == tensors.keys()
        for name, array in tensors.items():
            assert again[name].dtype == array.dtype
            np.testing.assert_array_equal(again[name], array)

    def test_a_truncated_file_is_refused(self) -> None:
        image = io.to_bytes(self.example())
        for length in (0, 7, 8, 40, len(image) // 2, len(image) - 1):
            with pytest.raises(ArtifactError, match=r"too short|truncated|damaged"):
                io.from_bytes(image[:length])

    def test_a_tampered_tensor_is_refused(self) -> None:
        image = io.to_bytes(self.example())
        start = 8 + int.from_bytes(image[:8], "little")
        assert len(image) > start, "the example must hold tensor bytes"
        for place in {start, (start + len(image)) // 2, len(image) - 1}:
            changed = image[:place] + bytes([image[place] ^ 1]) + image[place + 1 :]
            with pytest.raises(ArtifactError, match="was changed after export: got digest"):
                io.from_bytes(changed)

    def test_a_tampered_header_is_refused(self) -> None:
        image = with_header(io.to_bytes(self.example()), meta={"edited": "yes"})
        with pytest.raises(ArtifactError, match="was changed after export: got digest"):
            io.from_bytes(image)

    def test_a_newer_version_is_refused(self) -> None:
        artifact = self.example()
        newer = artifact.spec_version + 1
        image = with_header(io.to_bytes(artifact), spec_version=newer)
        with pytest.raises(ArtifactError, match=rf"unsupported spec_version: got {newer}, expected 1\.\."):
            io.from_bytes(image, "new.file")
        for wrong in (0, "1", None):
            with pytest.raises(ArtifactError, match="unsupported spec_version"):
                io.from_bytes(with_header(io.to_bytes(artifact), spec_version=wrong))

    def test_an_unknown_kind_and_format_are_refused(self) -> None:
        image = io.to_bytes(self.example())
        with pytest.raises(ArtifactError, match="unknown IR kind: got 'abacus', expected one of"):
            io.from_bytes(with_header(image, kind="abacus"))
        with pytest.raises(ArtifactError, match="has an unknown format: got 'hwir/9', expected 'hwir/1'"):
            io.from_bytes(with_header(image, format="hwir/9"))

    # -- the object ----------------------------------------------------------------------------------------

    def test_the_kind_is_registered(self) -> None:
        artifact = self.example()
        assert kinds()[artifact.kind] is type(artifact) is kind_named(artifact.kind)

    def test_every_broken_rule_is_named(self) -> None:
        cases = list(self.broken())
        assert cases
        for artifact, changes, message in cases:
            artifact.validate()
            with pytest.raises(ArtifactError, match=message):
                dataclasses.replace(artifact, **changes)  # type: ignore[type-var]

    @SETTINGS
    @given(data=st.data())
    def test_reference_equals_the_naive_twin(self, data: st.DataObject) -> None:
        artifact = data.draw(self.artifacts)
        x = self.inputs(data.draw, artifact)
        out = artifact.reference(x)
        assert len(out) == len(x)
        for sample, got in zip(x, out, strict=True):
            assert np.asarray(self.naive(artifact, sample)).tolist() == got.tolist()

    @SETTINGS
    @given(data=st.data())
    def test_reference_refuses_other_shapes(self, data: st.DataObject) -> None:
        artifact = data.draw(self.artifacts)
        x = self.inputs(data.draw, artifact)
        for wrong in (x[:, :0], np.concatenate([x, x], axis=1), x[None], x.ravel()):
            with pytest.raises(ShapeError, match=r"has the wrong shape: got \[.*\], expected \[batch, .*\] = \[any, "):
                artifact.reference(wrong)
        with pytest.raises(ShapeError):
            artifact.reference(x.astype(float))

    @SETTINGS
    @given(data=st.data())
    def test_every_cost_has_a_formula(self, data: st.DataObject) -> None:
        cost = data.draw(self.artifacts).cost()
        assert cost.values.keys() == cost.formulas.keys()
        assert all(cost.formulas.values())
        assert all(np.isfinite(value) and value >= 0 for value in cost.values.values())

    def example(self) -> Artifact:
        """One fixed artifact of the kind: the first one that `broken` mends."""
        return next(iter(self.broken()))[0]
