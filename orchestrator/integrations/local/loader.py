"""From a folder or a name on the hub to a model that generates; the only room that imports transformers to load."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrator.core.info import ModelConstraints
from orchestrator.errors import ModelProviderError, OrchestratorError, ServerError
from orchestrator.integrations.local.placement import Placement, available_gb, refuse_too_large, weights_gb

__all__ = ["Loaded", "free_memory", "load", "missing_extra"]

_WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")  # no pickled weights, no code


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model in memory with its tokenizer; `window` is how many tokens it can have in sight."""

    model: Any
    tokenizer: Any
    window: int | None


def missing_extra(placement: Placement) -> str | None:
    """What to install before this can be loaded, or None; nothing is imported to find out."""
    wanted = ["transformers", "torch"]
    wanted += ["accelerate"] if placement.device_map is not None or placement.bits else []
    wanted += ["bitsandbytes"] if placement.bits else []
    lacking = [name for name in wanted if find_spec(name) is None]
    if not lacking:
        return None
    return f"{', '.join(lacking)} missing: pip install 'model-orchestrator[huggingface]'"


def load(name: str, placement: Placement, limits: ModelConstraints) -> Loaded:
    """Bring it into memory; blocks for seconds to minutes.

    ModelProviderError where it cannot work as it is set up or would take too much memory, ServerError for what may
    be different the next time.
    """
    issue = missing_extra(placement)
    if issue is not None:
        raise ModelProviderError(issue)
    try:
        folder = _folder(placement)
        refuse_too_large(name, weights_gb(folder, placement.bits), limits, _free_gb(placement), gpu=placement.on_gpu)
        return _loaded(folder, placement)
    except OrchestratorError:
        raise
    except MemoryError as fault:
        raise ServerError(f"{name!r} did not fit into memory while it was loaded: unload another model") from fault
    except Exception as fault:  # files, drivers and the hub fail in many ways
        raise ServerError(
            f"{placement.path!r} could not be loaded: {type(fault).__name__}; the next call tries again"
        ) from fault


def free_memory() -> None:
    """Give back what nobody holds any more, the GPU's share too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _folder(placement: Placement) -> Path:
    """The files on this machine, fetched from the hub where they are not here yet."""
    folder = Path(placement.path).expanduser()
    if folder.is_dir():
        return folder
    if not placement.local_files_only and _is_a_path(placement.path):
        raise ModelProviderError(f"there is no folder {placement.path!r}: give one, or a name on the hub (org/model)")
    from huggingface_hub import snapshot_download

    fetched = snapshot_download(
        placement.path, allow_patterns=list(_WANTED), local_files_only=placement.local_files_only
    )
    return Path(fetched)


def _is_a_path(path: str) -> bool:
    return path.startswith(("/", ".", "~")) or path.count("/") != 1


def _free_gb(placement: Placement) -> float | None:
    if placement.device is not None and placement.device.startswith("cuda"):
        import torch

        free: int = torch.cuda.mem_get_info(placement.device)[0]
        return free / 1e9
    return None if placement.device_map not in (None, "cpu") else available_gb()


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bars on the terminal of a program that did not ask for them."""
    from transformers.utils import logging as theirs

    shown = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            theirs.enable_progress_bar()


def _loaded(folder: Path, placement: Placement) -> Loaded:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"dtype": "auto", "use_safetensors": True, "local_files_only": True}
    if placement.device_map is not None:
        options["device_map"] = placement.device_map
    elif placement.bits:
        options["device_map"] = {"": placement.device or "cpu"}
    if placement.bits:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=placement.bits == 8, load_in_4bit=placement.bits == 4
        )
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    with _without_bars():
        model = AutoModelForCausalLM.from_pretrained(str(folder), **options)
    if "device_map" not in options and placement.device is not None:
        model = model.to(placement.device)
    model.eval()
    return Loaded(model, tokenizer, getattr(model.config, "max_position_embeddings", None))
