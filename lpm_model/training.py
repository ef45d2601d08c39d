"""Train the memory: read segments into the state, then write the target from the state alone.

One example is a conversation: after every turn with a target, the state must hold enough to write
that target while the turn's own tokens are out of the window. Only the adapter is trained.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from lpm_model.modeling import LPMForCausalLM
from lpm_model.retrofit import save_adapter
from lpm_model.text import answer_ids, prompt_ids, segment_ids

__all__ = ["Example", "Trainer", "TrainingConfig"]

_POOL_BATCHES = 32  # drawn at a time, and sorted by length
_DISORDER = 120  # characters
_ANSWER_TOKENS = 25  # of a typical answer


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to learn from.

    Attributes:
        segments: What is read, one after the other: turns of the person, results of tools.
        targets: What is to be written after each segment; empty where nothing is.
    """

    segments: tuple[str, ...]
    targets: tuple[str, ...]


class Tokens(NamedTuple):
    """Tokens of one batch: of the answers, and all that ran through the model."""

    written: int
    run: int


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train.

    Attributes:
        steps: Optimizer steps in all; a resumed run goes on to this number.
        batch_size: Conversations per step.
        learning_rate: Peak rate of AdamW, after ``warmup`` steps, constant until the last
            ``decay`` steps, over which it falls linearly to zero.
        sight: Share of batches in which the target is written with the request in the window.
        latent_steps: Share of batches in which the state is refined by one latent step.
        seed: Of the data and of the weights.
        save_every: Steps between checkpoints.
        validate_every: Steps between measurements on examples never trained on.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    warmup: int = 60
    decay: int = 0
    sight: float = 0.1
    latent_steps: float = 0.2
    clip: float = 1.0
    seed: int = 1
    save_every: int = 100
    validate_every: int = 100


def _characters(example: Example) -> int:
    return sum(map(len, example.segments)) + sum(map(len, example.targets))


class Trainer:
    """Runs training, keeps checkpoints in ``folder`` and resumes from them.

    Args:
        model: A retrofitted model, not folded.
        tokenizer: The base's tokenizer.
        config: See ``TrainingConfig``.
        examples: Endless stream of training conversations, given a source of chance.
        held_out: Conversations to measure on, never trained on.
        folder: Where ``checkpoint.pt``, ``adapter.safetensors`` and ``metrics.jsonl`` go.
        header: Facts for the adapter's header, e.g. the data version.
    """

    def __init__(
        self,
        model: LPMForCausalLM,
        tokenizer: PreTrainedTokenizerBase,
        config: TrainingConfig,
        examples: Callable[[Random], Iterator[Example]],
        held_out: Sequence[Example],
        folder: Path,
        header: dict[str, str] | None = None,
    ) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.examples, self.held_out, self.folder = examples, held_out, folder
        self.header = header or {}
        self.learned = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.learned, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        self.step = 0

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.learned[0].device

    def resume(self) -> bool:
        """Load the last checkpoint of ``folder``; returns whether there was one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        saved = torch.load(path, map_location=self.device, weights_only=True)
        with torch.no_grad():
            for parameter, tensor in zip(self.learned, saved["learned"], strict=True):
                parameter.copy_(tensor)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
        return True

    def save(self) -> None:
        """Write the checkpoint and the adapter."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / "checkpoint.pt.part"
        state = {
            "learned": [p.detach() for p in self.learned],
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        torch.save(state, part)
        part.replace(self.folder / "checkpoint.pt")
        facts = {"steps": str(self.step), "config": json.dumps(asdict(self.config))}
        save_adapter(self.model, self.folder / "adapter.safetensors", self.header | facts)

    def run(self, report: Callable[[dict[str, float]], None] = lambda _: None) -> None:
        """Train until ``config.steps``, reporting metrics after every step.

        An interrupt saves a checkpoint before it goes on its way.
        """
        try:
            self._run(report)
        except KeyboardInterrupt:
            self.save()
            raise

    def _run(self, report: Callable[[dict[str, float]], None]) -> None:
        batches = self._batches()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.train()
        while self.step < self.config.steps:
            began = time.perf_counter()
            batch = next(batches)
            metrics = self._train_step(batch)
            metrics |= {"step": self.step, "seconds": time.perf_counter() - began, "lr": self._rate()}
            if self.step % self.config.validate_every == 0:
                metrics |= self.validate()
            with (self.folder / "metrics.jsonl").open("a") as log:
                log.write(json.dumps(metrics) + "\n")
            if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                self.save()
            report(metrics)

    def _rate(self) -> float:
        config, left = self.config, self.config.steps - self.step
        ramp = min(1.0, (self.step + 1) / config.warmup)
        fall = min(1.0, left / config.decay) if config.decay else 1.0
        return config.learning_rate * ramp * fall

    def _train_step(self, batch: Sequence[Example]) -> dict[str, float]:
        rng = Random(f"{self.config.seed}/step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        sight = rng.random() < self.config.sight
        loss, tokens = self.loss(
            batch, sight=sight, latent_steps=int(rng.random() < self.config.latent_steps)
        )
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.learned, self.config.clip)
        # A batch of few or short answers must not shove the weights as far as a full one. The gradient is
        # weighed after it is clipped: clipping would undo it.
        weight = min(1.0, tokens.written / (_ANSWER_TOKENS * len(batch)))
        for parameter in self.learned:
            if parameter.grad is not None:
                parameter.grad.mul_(weight)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        name = "loss_sight" if sight else "loss"
        return {name: loss.item(), "grad_norm": norm.item(), "tokens": tokens.run}

    def loss(
        self, batch: Sequence[Example], *, sight: bool, latent_steps: int
    ) -> tuple[torch.Tensor, Tokens]:
        """Cross entropy of the targets, averaged over target tokens, and the tokens run.

        Args:
            batch: Conversations with targets after the same segments.
            sight: Whether each turn's tokens stay in the window while its target is written.
            latent_steps: Latent steps after each turn.
        """
        total, count, tokens = torch.zeros((), device=self.device), 0, 0
        state: torch.Tensor | None = None
        for turn in range(len(batch[0].segments)):
            ids, mask = self._padded(
                [segment_ids(self.tokenizer, e.segments[turn]) for e in batch], left=True
            )
            _, state = self.model.model(ids, state, attention_mask=mask, write=True)
            if not batch[0].targets[turn]:
                tokens += ids.numel()
                continue
            for _ in range(latent_steps):
                _, state = self.model.model(None, state, write=True)
            prompt = prompt_ids(self.tokenizer)
            answers = [prompt + answer_ids(self.tokenizer, e.targets[turn]) for e in batch]
            targets, present = self._padded(answers, left=False)
            inputs, labels = targets[:, :-1], targets[:, 1:].masked_fill(present[:, 1:] == 0, -100)
            labels[:, : len(prompt) - 1] = -100
            window = torch.cat((mask, present[:, :-1]), dim=1) if sight else present[:, :-1]
            seen = torch.cat((ids, inputs), dim=1) if sight else inputs
            hidden, _ = self.model.model(seen, state, attention_mask=window)
            hidden = hidden[:, -inputs.shape[1] :][labels != -100]
            wanted = labels[labels != -100]
            total = total + F.cross_entropy(self.model.lm_head(hidden).float(), wanted, reduction="sum")
            count += wanted.numel()
            tokens += ids.numel() + seen.numel()
        return total / count, Tokens(count, tokens)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and share of targets right in every token (teacher forced), from the state alone."""
        self.model.eval()
        right, losses, size = 0, [], self.config.batch_size
        for start in range(0, len(self.held_out), size):
            batch = self.held_out[start : start + size]
            ids, mask = self._padded([segment_ids(self.tokenizer, e.segments[0]) for e in batch], left=True)
            _, state = self.model.model(ids, None, attention_mask=mask, write=True)
            prompt = prompt_ids(self.tokenizer)
            targets, present = self._padded(
                [prompt + answer_ids(self.tokenizer, e.targets[0]) for e in batch], left=False
            )
            hidden, _ = self.model.model(targets[:, :-1], state, attention_mask=present[:, :-1])
            logits = self.model.lm_head(hidden[:, len(prompt) - 1 :])
            labels = targets[:, len(prompt) :].masked_fill(present[:, len(prompt) :] == 0, -100)
            losses.append(
                F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100).item()
            )
            hit = (logits.argmax(-1) == labels) | (labels == -100)
            right += int(hit.all(-1).sum())
        self.model.train()
        return {"valid_loss": sum(losses) / len(losses), "valid_exact": right / len(self.held_out)}

    def _batches(self) -> Iterator[list[Example]]:
        """Batches of conversations with targets after the same segments, and of similar length.

        Which batch a step gets depends on the seed and the step alone: a run that was interrupted goes on
        as if it had not been.
        """
        size, first = self.config.batch_size, self.step
        for number in itertools.count(first // _POOL_BATCHES):
            rng = Random(f"{self.config.seed}/pool {number}")
            stream = self.examples(rng)
            ready: list[list[Example]] = []
            while len(ready) < _POOL_BATCHES:
                pool: dict[tuple[bool, ...], list[Example]] = {}
                for _ in range(size * _POOL_BATCHES * 3 // 2):
                    example = next(stream)
                    pool.setdefault(tuple(map(bool, example.targets)), []).append(example)
                for group in pool.values():
                    # Similar length saves padding; some disorder keeps batches of one kind (all of them
                    # refusals, say) from forming: they made training diverge.
                    group.sort(key=lambda e: _characters(e) + rng.uniform(0, _DISORDER))
                    ready += [group[i : i + size] for i in range(0, len(group) - size + 1, size)]
            rng.shuffle(ready)
            yield from ready[max(0, first - number * _POOL_BATCHES) : _POOL_BATCHES]

    def _padded(self, rows: Sequence[Sequence[int]], *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and mask, each (B, T), padded on one side."""
        length = max(map(len, rows))
        ids = torch.full((len(rows), length), self.model.config.pad_token_id or 0)
        mask = torch.zeros(len(rows), length, dtype=torch.long)
        for i, row in enumerate(rows):
            place = slice(length - len(row), length) if left else slice(0, len(row))
            ids[i, place] = torch.tensor(row)
            mask[i, place] = 1
        return ids.to(self.device), mask.to(self.device)
