"""Where a model's weights go and how much room they take, known before any of them is loaded."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.core.info import ModelConstraints
from orchestrator.errors import ModelProviderError, ProviderConfigError

__all__ = ["QUANTIZATIONS", "Placement", "available_gb", "refuse_too_large", "weights_gb"]

QUANTIZATIONS = {"int8": 8, "8bit": 8, "int4": 4, "4bit": 4}  # bits a weight
_BYTES = {"F64": 8.0, "I64": 8.0, "F32": 4.0, "I32": 4.0, "F16": 2.0, "BF16": 2.0, "I16": 2.0}  # any other: 1
_KEPT = ("embed", "lm_head", "norm")  # parts of a name whose weights are never quantized
_GB = 1e9
_LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, slots=True)
class Placement:
    """A folder or a name on the hub, and how its weights are loaded: one device, or a map that spreads them.

    >>> Placement("org/model", device_map="auto", quantization="8bit").bits
    8
    """

    path: str
    device: str | None = None
    device_map: Any = None
    quantization: str | None = None
    local_files_only: bool = False

    def __post_init__(self) -> None:
        if self.quantization is not None and self.quantization not in QUANTIZATIONS:
            known = ", ".join(map(repr, QUANTIZATIONS))
            raise ProviderConfigError(f"quantization={self.quantization!r}: give one of {known}, or None")
        if self.device is not None and self.device_map is not None:
            raise ProviderConfigError("give device= or device_map=, not both")

    @property
    def bits(self) -> int | None:
        """Bits of a quantized weight; None leaves weights as they are stored."""
        return None if self.quantization is None else QUANTIZATIONS[self.quantization]

    @property
    def on_gpu(self) -> bool:
        """True when all weights go to a GPU."""
        return self.device is not None and self.device.startswith(("cuda", "xpu", "mps"))

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept with the model's description, so that another process can make it again."""
        given = {
            "model_path": self.path,
            "device": self.device,
            "device_map": self.device_map,
            "quantization": self.quantization,
        }
        return {name: value for name, value in given.items() if value is not None}


def weights_gb(folder: Path, bits: int | None = None) -> float | None:
    """GB (1e9 bytes) that the weights in these safetensors files take once loaded; None where there are none.

    Read from the headers alone (format: github.com/huggingface/safetensors, "Format"): eight bytes of length, then
    JSON with the type and shape of each tensor.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    return sum(_size(name, facts, bits) for file in files for name, facts in _tensors(file)) / _GB


def available_gb() -> float | None:
    """GB of memory that programs can still have on this machine; None where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(float(line.split()[1]) * 1024 / _GB for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def refuse_too_large(
    name: str, needed_gb: float | None, limits: ModelConstraints, free_gb: float | None, *, gpu: bool
) -> None:
    """ModelProviderError when the weights are larger than the limit, or than what is free."""
    field = "required_gpu_memory_gb" if gpu else "required_memory_gb"
    limit_gb: float | None = getattr(limits, field)
    if needed_gb is not None and limit_gb is not None and needed_gb > limit_gb:
        raise ModelProviderError(
            f"{name!r} needs {needed_gb:.3g} GB for its weights and {field}={limit_gb:g} allows less: raise the limit, "
            "or load it quantized"
        )
    most_gb = max((gb for gb in (needed_gb, limit_gb) if gb is not None), default=0.0)
    if free_gb is not None and most_gb > free_gb:
        raise ModelProviderError(
            f"{name!r} needs {most_gb:.3g} GB of {'GPU ' if gpu else ''}memory and {free_gb:.3g} GB are free: unload "
            "another model, or load it quantized"
        )


def _tensors(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > _LONGEST_HEADER:
            raise ModelProviderError(f"{file.name} is no safetensors file: download it again")
        header = json.loads(opened.read(length))
    yield from ((name, facts) for name, facts in header.items() if name != "__metadata__")


def _size(name: str, facts: dict[str, Any], bits: int | None) -> float:
    """Bytes of one tensor; quantization takes matrices, not embeddings, heads and norms."""
    numbers: int = math.prod(facts["shape"])
    if bits is not None and len(facts["shape"]) > 1 and not any(part in name for part in _KEPT):
        return numbers * bits / 8
    return numbers * _BYTES.get(facts["dtype"], 1.0)
