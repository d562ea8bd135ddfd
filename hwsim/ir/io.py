"""One file for every IR kind: `<name>.hwir.safetensors` = tensors + a canonical JSON header.

The header (metadata key ``hwir``) holds ``format``, ``kind``, ``spec_version``, the kind's own fields and
``digest``, the SHA-256 over every tensor's name, dtype, shape and bytes and over the rest of the header, so
that an edit of either is found on loading. The artifact's id is the SHA-256 of the whole file; equal
artifacts give equal bytes. Specification: ``docs/ir/file.md``.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as _st_load
from safetensors.numpy import save as _st_save

from hwsim.ir.artifact import Artifact, Header, Tensors, kind_named
from hwsim.ir.errors import ArtifactError

FORMAT = "hwir/1"
SUFFIX = ".hwir.safetensors"
_HEADER_LIMIT = 100_000_000  # the safetensors specification's own limit on a JSON header


def _canonical(header: Header) -> bytes:
    return msgspec.json.encode(header, order="deterministic")


def _digest(tensors: Tensors, header: Header) -> str:
    sha = hashlib.sha256(_canonical({k: v for k, v in header.items() if k != "digest"}))
    for name in sorted(tensors):
        array = tensors[name]
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def to_bytes(artifact: Artifact) -> bytes:
    """Serialise a validated artifact; equal artifacts give equal bytes."""
    artifact.validate()
    tensors, fields = artifact.to_tensors()
    header: Header = {"format": FORMAT, "kind": artifact.kind, "spec_version": artifact.spec_version, **fields}
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    header["digest"] = _digest(tensors, header)
    return _st_save(tensors, metadata={"hwir": _canonical(header).decode()})


def artifact_id(artifact: Artifact) -> str:
    """SHA-256 (hex) of the artifact's file."""
    return hashlib.sha256(to_bytes(artifact)).hexdigest()


def save(artifact: Artifact, path: str | os.PathLike[str]) -> str:
    """Write `artifact` to `path` and return its id.

    The file appears whole or not at all: it is written beside its place and renamed.
    """
    path = Path(path)
    data = to_bytes(artifact)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return hashlib.sha256(data).hexdigest()


def read_header(data: bytes, where: str) -> Header:
    """The JSON header of a serialised artifact, without touching its tensors.

    Raises:
        ArtifactError: not an artifact file, truncated, or of an unknown format.
    """
    mend = "Export the artifact again."
    if len(data) < 8:
        raise ArtifactError.of(f"{where} is too short", f"{len(data)} bytes", "a safetensors file", mend)
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, _HEADER_LIMIT):
        raise ArtifactError.of(
            f"{where} is truncated or not a safetensors file",
            f"{len(data)} bytes with a header of {length}",
            "a whole file",
            mend,
        )
    try:
        metadata: Any = msgspec.json.decode(data[8 : 8 + length])
        header = msgspec.json.decode(metadata["__metadata__"]["hwir"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ArtifactError.of(f"{where} holds no hwir header", repr(error), "metadata key 'hwir'", mend) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        got = header.get("format") if isinstance(header, dict) else header
        raise ArtifactError.of(f"{where} has an unknown format", repr(got), repr(FORMAT), "Update hwsim.")
    return header


def from_bytes(data: bytes, where: str = "artifact") -> Artifact:
    """Inverse of `to_bytes`; checks format, kind, version, digest and the kind's own rules.

    Raises:
        ArtifactError: truncated, tampered with, of an unknown kind or of a newer `spec_version`.
    """
    header = read_header(data, where)
    cls = kind_named(str(header.get("kind")))
    version = header.get("spec_version")
    if not isinstance(version, int) or not 1 <= version <= cls.spec_version:
        raise ArtifactError.of(
            f"{where}: {cls.kind} has an unsupported spec_version",
            version,
            f"1..{cls.spec_version}",
            "Update hwsim, or export with this version.",
        )
    try:
        tensors = _st_load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactError.of(f"{where} is damaged", error, "a whole file", "Copy or export it again.") from error
    if (digest := _digest(tensors, header)) != header.get("digest"):
        raise ArtifactError.of(
            f"{where} was changed after export",
            f"digest {digest[:12]}…",
            f"{str(header.get('digest'))[:12]}…",
            "Export it again.",
        )
    try:
        return cls.from_tensors(tensors, header)
    except (KeyError, TypeError) as error:
        raise ArtifactError.of(f"{where} lacks a field", repr(error), f"a {cls.kind}", "Export it again.") from error


_A = TypeVar("_A", bound=Artifact)


def load_as(cls: type[_A], path: str | os.PathLike[str]) -> _A:
    """Read the artifact at `path`, which must be of kind `cls`. Raises as `from_bytes`, and for another kind."""
    artifact = load(path)
    if not isinstance(artifact, cls):
        raise ArtifactError.of(f"kind of {path}", artifact.kind, cls.kind, "Name an artifact of that kind.")
    return artifact


def load(path: str | os.PathLike[str]) -> Artifact:
    """Read the artifact at `path`. Raises as `from_bytes`."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError.of("no artifact file", path, f"an existing *{SUFFIX}", "Check the path.") from error
    except OSError as error:
        raise ArtifactError.of("unreadable artifact file", error, "a readable file", "Check the path.") from error
    return from_bytes(data, str(path))
