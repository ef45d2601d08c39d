"""Train the reader's memory on generated requests: ``planner train CONFIG.yaml``.

Joins what the layers below keep apart: conversations (``lpm_model.data``), the names of the
gazetteer and the call notation (``tools``), and the trainer (``lpm_model.training``).
"""

from __future__ import annotations

import hashlib
import itertools
import platform
import zlib
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lpm_model.base import ADAPTER_NAME, load_for_training
from lpm_model.data.code.conversations import CodeConversations
from lpm_model.data.conversation import Conversation, Conversations, Domain, Place, PlaceNames
from lpm_model.data.language import general_texts
from lpm_model.data.project.conversations import ProjectConversations
from lpm_model.data.route.conversations import RouteConversations
from lpm_model.narrowing import directions, narrowed
from lpm_model.objective import Example, collate
from lpm_model.reinforcement import Improver
from lpm_model.retrofit import load_adapter, read_adapter, with_slots
from lpm_model.training import Trainer, TrainingConfig
from planner.meaning import right
from tools.cache import cache_dir
from tools.notation import grammar, write_call
from tools.places import Gazetteer
from tools.places.data import nicknames
from tools.registry import ARGUMENTS
from tools.roads.tool import in_one_line

__all__ = [
    "ConfigError",
    "DataConfig",
    "Reinforcement",
    "TrainConfig",
    "held_out_examples",
    "place_names",
    "stream",
    "train",
]

_HELD_OUT_SHARE = 40  # one town in so many is never trained on
_LONGEST_NAME = 26
_MEASURED_TEXTS = 16
_NARROWED_ON = 64  # conversations that show which directions of the state matter
_RECITED = "text"  # first line of a recited text, where a call names its tool
_OBSERVED_SHARE, _OBSERVED_SINGLE_SHARE = 0.25, 0.03  # conversations with the tool's results in them


class ConfigError(ValueError):
    """A training configuration is missing or wrong."""


class DataConfig(BaseModel):
    """What to generate.

    Attributes:
        domains: Weights of what conversations are about.
        turns: Weights of conversations of 1, 2, 3, ... turns.
        max_characters: Longest turn.
        max_conversation: Characters of all turns and calls of the longest conversation, for a machine whose
            memory holds no batch of longer ones; None keeps all.
        held_out: Conversations of each domain and number of turns that are measured on: routes with towns
            that are never trained on, other domains with other chance.
        recite: Share of the conversations of one turn that are to be written word for word: names come
            back exactly sooner.
    """

    model_config = ConfigDict(extra="forbid")

    domains: dict[Domain, float] = {"route": 1.0}
    turns: tuple[float, ...] = (1.0,)
    max_characters: int = Field(default=420, gt=20)
    max_conversation: int | None = Field(default=None, gt=20)
    held_out: int = Field(default=64, gt=0)
    recite: float = Field(default=0.0, ge=0.0, le=1.0)


class Reinforcement(BaseModel):
    """Learning from reward: a reading is right if every constraint that was meant is in force, and no other.

    Attributes:
        group: Readings drawn of each conversation.
    """

    model_config = ConfigDict(extra="forbid")

    group: int = Field(default=8, ge=2)


class TrainConfig(BaseModel):
    """A training run.

    Attributes:
        folder: Where checkpoints, metrics and the adapter go, relative to the working directory.
        start_from: Adapter to start from; None starts from the base.
        anew: Parts of names: parameters of the adapter with such a name start as from the base.
        base: Folder of another base; None is the embedded one.
        threads: CPU threads; None leaves it to torch.
        model: Fields of ``LPMConfig`` to set; of an adapter to start from only ``num_slots`` can change, and
            ``state_dim`` from a whole key and value to less.
        data: See ``DataConfig``.
        reinforce: Learn from reward instead of from the calls themselves; see ``lpm_model.reinforcement``.
        training: See ``TrainingConfig``; with ``reinforce`` what it says of sight, latent steps and language
            is not used.
    """

    model_config = ConfigDict(extra="forbid")

    folder: Path
    start_from: Path | None = None
    anew: tuple[str, ...] = ()
    base: Path | None = None
    threads: int | None = None
    model: dict[str, int] = {}
    data: DataConfig = DataConfig()
    reinforce: Reinforcement | None = None
    training: dict[str, Any]

    @classmethod
    def from_file(cls, path: Path) -> TrainConfig:
        """Read a YAML file.

        Raises:
            ConfigError: If it is missing or wrong.
        """
        try:
            return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
            raise ConfigError(f"{path}: {error}") from error


def place_names(book: Gazetteer, *, held_out: bool) -> PlaceNames:
    """The gazetteer's towns, largest first: those to train on, or those never trained on."""
    towns = sorted((Place(*row) for row in book.names()), key=lambda town: -town.population)
    plain = [t for t in towns if len(t.name) < _LONGEST_NAME and not set("(),/;") & set(t.name)]
    chosen = [t for t in plain if (zlib.crc32(t.name.encode()) % _HELD_OUT_SHARE == 0) == held_out]
    return PlaceNames(chosen, () if held_out else nicknames())


def data_version() -> str:
    """Digest of the generator: its code and its phrases."""
    digest = hashlib.sha256()
    folders = [files("lpm_model.data")]
    while folders:
        for entry in sorted(folders.pop(0).iterdir(), key=lambda e: e.name):
            if entry.is_dir():
                folders.append(entry)
            elif entry.name.endswith((".py", ".yaml")):
                digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()[:16]


def _example(conversation: Conversation, rng: Random, recite: float) -> Example:
    """A conversation as the loop runs it: turns of the person, the tool's results, and what was written.

    What a turn says is not kept beyond it: before the next one the result may be read, and the call that was
    written is. A result changes nothing of what the person wants; a few examples end with one to teach this.
    """
    if len(conversation.turns) == 1 and rng.random() < recite:
        said = conversation.turns[0].user
        return Example((said,), (f"{_RECITED}\n{said}",))
    arguments = ARGUMENTS[conversation.domain]
    parts: list[tuple[str, str, bool]] = []  # a segment, what is written after it, whether it is kept
    share = _OBSERVED_SHARE if len(conversation.turns) > 1 else _OBSERVED_SINGLE_SHARE
    observed = conversation.domain == "route" and rng.random() < share
    for number, turn in enumerate(conversation.turns, 1):
        call = write_call(conversation.domain, arguments, turn.means)
        parts.append((turn.user, call, False))
        if number == len(conversation.turns) and not observed:
            break
        if observed and call.count("\n") > 2:
            km = rng.uniform(20, 5000)
            parts.append((in_one_line(km, km / rng.uniform(75, 105)), "", True))
        parts.append((call, "", True))
    if observed:
        parts[-1] = (parts[-1][0], call, True)
    segments, targets, kept = zip(*parts, strict=True)
    return Example(segments, targets, kept)


def stream(names: PlaceNames, config: DataConfig) -> Callable[[Random], Iterator[Example]]:
    """Endless conversations to train on, given a source of chance."""

    def drawn(rng: Random) -> Iterator[Example]:
        sources: dict[Domain, Conversations] = {
            "route": RouteConversations(names, rng, config.turns),
            "project": ProjectConversations(rng, config.turns),
            "code": CodeConversations(rng, config.turns),
        }
        domains, weights = list(config.domains), list(config.domains.values())
        while True:
            source = sources[rng.choices(domains, weights)[0]]
            conversation = source.conversation()
            if any(len(turn.user) > config.max_characters for turn in conversation.turns):
                continue
            example = _example(conversation, rng, config.recite)
            length = sum(map(len, (*example.segments, *example.targets)))
            if config.max_conversation is None or length <= config.max_conversation:
                yield example

    return drawn


def held_out_examples(names: PlaceNames, config: DataConfig, seed: int) -> dict[str, list[Example]]:
    """Conversations to measure on, by domain and number of turns; without results of tools in them."""
    found: dict[str, list[Example]] = {}
    for domain in config.domains:
        for turns in range(1, len(config.turns) + 1):
            only = (0.0,) * (turns - 1) + (1.0,)
            wanted = config.model_copy(update={"domains": {domain: 1.0}, "turns": only, "recite": 0.0})
            plain = ((True, False), (False, True)) * (turns - 1) + ((True, False),)
            drawn = stream(names, wanted)(Random(f"held out/{seed}"))
            alike = (example for example in drawn if example.shape == plain)
            found[f"{domain}/{turns}"] = list(itertools.islice(alike, config.held_out))
    return found


def _narrowed(
    config: TrainConfig,
    tensors: Mapping[str, torch.Tensor],
    trained: Mapping[str, Any],
    examples: Iterator[Example],
    state_dim: int,
) -> dict[str, torch.Tensor]:
    """The adapter along the directions that matter in conversations like those to train on."""
    wide, tokenizer = load_for_training(config.base, cache_dir(), trained)
    load_adapter(wide, tensors)
    sample = itertools.islice(examples, _NARROWED_ON)
    return narrowed(tensors, directions(wide, (collate(tokenizer, [e]) for e in sample), state_dim))


def train(config: TrainConfig, report: Callable[[dict[str, float]], None]) -> Path:
    """Train, or go on training; returns the adapter's path.

    Raises:
        ConfigError: If the configuration does not fit the trainer or the base.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        training = TrainingConfig(**config.training)
    except TypeError as error:
        raise ConfigError(str(error)) from error
    torch.manual_seed(training.seed)
    book = Gazetteer.load()
    drawn = stream(place_names(book, held_out=False), config.data)
    tensors, memory = None, dict(config.model)
    # A run that goes on has its own adapter, and in it the directions of its state.
    own = config.folder / ADAPTER_NAME
    start = own if own.is_file() else config.start_from
    if start is not None:
        tensors, trained, _ = read_adapter(start)
        memory = trained | memory
        if memory["state_dim"] < trained["state_dim"]:
            tensors = _narrowed(config, tensors, trained, drawn(Random(training.seed)), memory["state_dim"])
        tensors = with_slots(tensors, memory["num_slots"])
    model, tokenizer = load_for_training(config.base, cache_dir(), memory)
    if tensors is not None:
        fresh = {k: p for k, p in model.named_parameters() if any(part in k for part in config.anew)}
        load_adapter(model, tensors | fresh)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    texts = (general_texts(held_out=False), general_texts(held_out=True)[:_MEASURED_TEXTS])
    given = (
        model,
        tokenizer,
        training,
        drawn,
        held_out_examples(place_names(book, held_out=True), config.data, training.seed),
        config.folder,
        {
            "data_version": data_version(),
            "machine": f"{platform.machine()}, {device}",
            "start_from": str(config.start_from),
        },
        texts if training.language else ((), ()),
    )
    if config.reinforce is None:
        trainer = Trainer(*given)
    else:
        if not training.memory or config.data.recite:
            raise ConfigError("reward is for calls that are read from the state: no recite, and memory")
        calls: dict[str, type[BaseModel]] = {name: ARGUMENTS[name] for name in config.data.domains}
        trainer = Improver(*given, grammar=grammar(calls), reward=right, group=config.reinforce.group)
    trainer.resume()
    trainer.run(report)
    return config.folder / ADAPTER_NAME
