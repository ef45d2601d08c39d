"""Train the memory: batches, optimizer steps, checkpoints, measurements on what was never trained on.

The same code runs on a CPU, on one GPU, and on several through ``accelerate launch``, where every
process draws batches of its own. Only the adapter is trained.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerBase

from lpm_model.decoder import WithHead
from lpm_model.objective import Example, Language, Objective, collate, collate_text
from lpm_model.retrofit import save_adapter

__all__ = ["Example", "Log", "Trainer", "TrainingConfig"]

_POOL_BATCHES = 32  # drawn at a time, and sorted by length
_DISORDER = 120  # characters
_ANSWER_TOKENS = 25  # of a typical answer


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train.

    Attributes:
        steps: Optimizer steps in all; a resumed run goes on to this number.
        batch_size: Conversations per step and process.
        learning_rate: Peak rate of AdamW, after ``warmup`` steps, constant until the last
            ``decay`` steps, over which it falls linearly to zero.
        sight: Share of steps in which the answer is written with the request in the window.
        latent_steps: Share of steps in which the state is refined by latent steps.
        most_latent_steps: By how many of them at most; each number from 1 is drawn as often.
        language: Share of steps on general text, in which the divergence from the base is minimised.
        language_tokens: Length of a general text.
        memory: Whether there is a state; without one the rival is trained, see ``Objective``.
        clip: Largest norm of a gradient.
        bf16: Whether to compute in bfloat16 where it is safe (autocast).
        workers: Processes that draw batches ahead; 0 draws them in the training process.
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
    most_latent_steps: int = 1
    language: float = 0.0
    language_tokens: int = 128
    memory: bool = True
    clip: float = 1.0
    bf16: bool = False
    workers: int = 0
    seed: int = 1
    save_every: int = 100
    validate_every: int = 100


def _characters(example: Example) -> int:
    return sum(map(len, example.segments)) + sum(map(len, example.targets))


class _Pools(Dataset[list[list[Example]]]):
    """Pool after pool of batches of conversations of one shape and of similar length.

    Which batches a pool holds depends on the seed, the process and the pool's number alone: a run that was
    interrupted goes on as if it had not been.
    """

    def __init__(
        self, examples: Callable[[Random], Iterator[Example]], seed: int, batch_size: int, process: int
    ) -> None:
        self.examples, self.seed, self.batch_size, self.process = examples, seed, batch_size, process

    def __getitem__(self, number: int) -> list[list[Example]]:
        size = self.batch_size
        rng = Random(f"{self.seed}/pool {number}" + (f"/process {self.process}" if self.process else ""))
        stream = self.examples(rng)
        ready: list[list[Example]] = []
        while len(ready) < _POOL_BATCHES:
            pool: dict[tuple[tuple[bool, bool], ...], list[Example]] = {}
            for _ in range(size * _POOL_BATCHES * 3 // 2):
                example = next(stream)
                pool.setdefault(example.shape, []).append(example)
            for group in pool.values():
                # Similar length saves padding; some disorder keeps batches of one kind (all of them
                # refusals, say) from forming: they made training diverge.
                group.sort(key=lambda e: _characters(e) + rng.uniform(0, _DISORDER))
                ready += [group[i : i + size] for i in range(0, len(group) - size + 1, size)]
        rng.shuffle(ready)
        return ready[:_POOL_BATCHES]


class Trainer:
    """Runs training, keeps checkpoints in ``folder`` and resumes from them.

    Args:
        model: A retrofitted model, not folded.
        tokenizer: The base's tokenizer.
        config: See ``TrainingConfig``.
        examples: Endless stream of training conversations, given a source of chance.
        held_out: Conversations to measure on, never trained on, by the name under which their figures are
            reported; those of one name have the same shape.
        folder: Where ``checkpoint.pt``, ``adapter.safetensors``, ``metrics.jsonl`` and, if TensorBoard is
            installed, its files go.
        header: Facts for the adapter's header, e.g. the data version.
        texts: General texts to train on and, after them, to measure on; needed where ``config.language`` is
            not 0.
    """

    def __init__(
        self,
        model: WithHead,
        tokenizer: PreTrainedTokenizerBase,
        config: TrainingConfig,
        examples: Callable[[Random], Iterator[Example]],
        held_out: Mapping[str, Sequence[Example]],
        folder: Path,
        header: dict[str, str] | None = None,
        texts: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> None:
        # Which parameters a step uses depends on what it trains: reading, or language.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(kwargs_handlers=[unused])
        self.model, self.tokenizer, self.config = model.to(self.accelerator.device), tokenizer, config
        self.examples, self.held_out, self.folder = examples, held_out, folder
        self.header = header or {}
        self.texts, self.texts_held_out = texts
        self.learned = [p for p in model.parameters() if p.requires_grad]
        self.objective = Objective(model, config.memory)
        self.distributed, self.optimizer = self.accelerator.prepare(
            self.objective,
            torch.optim.AdamW(self.learned, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
        )
        self.step = 0
        self.updating = False

    def resume(self) -> bool:
        """Load the last checkpoint of ``folder``; returns whether there was one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        saved = torch.load(path, map_location=self.accelerator.device, weights_only=True)
        with torch.no_grad():
            for parameter, tensor in zip(self.learned, saved["learned"], strict=True):
                parameter.copy_(tensor)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
        return True

    def save(self) -> None:
        """Write the checkpoint and the adapter; of several processes one does."""
        if not self.accelerator.is_main_process:
            return
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

        An interrupt saves a checkpoint before it goes on its way, unless it comes in the midst of an update:
        half of one is no state to go on from, and the last checkpoint stands.
        """
        with Log(self.folder, self.accelerator.is_main_process, self.step) as log:
            try:
                self._run(report, log)
            except KeyboardInterrupt:
                if not self.updating:
                    self.save()
                raise

    def _run(self, report: Callable[[dict[str, float]], None], log: Log) -> None:
        batches = self._batches()
        self.model.train()
        while self.step < self.config.steps:
            began = time.perf_counter()
            metrics = self._train_step(batches)
            metrics |= {"step": self.step, "seconds": time.perf_counter() - began, "lr": self._rate()}
            if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                metrics |= self.validate()
            log.write(metrics)
            if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                self.save()
            report(metrics)

    def _rate(self) -> float:
        config, left = self.config, self.config.steps - self.step
        ramp = min(1.0, (self.step + 1) / config.warmup)
        fall = min(1.0, left / config.decay) if config.decay else 1.0
        return config.learning_rate * ramp * fall

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _train_step(self, batches: Iterator[list[Example]]) -> dict[str, float]:
        rng = Random(f"{self.config.seed}/step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        loss, weight, told = self._loss(next(batches), rng)
        # Of several processes each has a batch of its own; they stay alike only by steps that are alike.
        shared = self.accelerator.reduce(torch.tensor(weight, device=self.accelerator.device), "mean")
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.learned, self.config.clip)
        for parameter in self.learned:
            if parameter.grad is not None:
                parameter.grad.mul_(shared)
        self.updating = True
        # Without a gradient there is nothing to learn, and AdamW would move on by what it learned before.
        if torch.isfinite(norm) and norm > 0:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.updating = False
        return {**told, "grad_norm": float(norm)}

    def _loss(self, examples: Sequence[Example], rng: Random) -> tuple[torch.Tensor, float, dict[str, float]]:
        """Of one step the loss, what its gradient weighs after it is clipped, and its metrics.

        What the processes do together, here and later, is decided by ``rng``, which is the same in all.
        """
        config = self.config
        sight = rng.random() < config.sight
        thinks = rng.random() < config.latent_steps
        if rng.random() < config.language:
            texts = self._texts(rng)
            with self._autocast():
                loss = self.distributed(texts)
            return loss, 1.0, {"loss_language": loss.item(), "tokens": texts.ids.numel()}
        batch = collate(self.tokenizer, examples)
        latent_steps = rng.randint(1, config.most_latent_steps) if thinks else 0
        with self._autocast():
            loss = self.distributed(batch.to(self.accelerator.device), sight=sight, latent_steps=latent_steps)
        # A batch of few or short answers must not shove the weights as far as a full one. The
        # gradient is weighed after it is clipped: clipping would undo it.
        weight = min(1.0, batch.written / (_ANSWER_TOKENS * len(examples)))
        return loss, weight, {"loss_sight" if sight else "loss": loss.item(), "tokens": batch.run}

    def _texts(self, rng: Random) -> Language:
        # ``rng`` is the same in all processes: each takes the next texts that it gives.
        size, process = self.config.batch_size, self.accelerator.process_index
        chosen = [rng.choice(self.texts) for _ in range(size * (process + 1))]
        return self._collated(chosen[-size:])

    def _collated(self, texts: Sequence[str]) -> Language:
        return collate_text(self.tokenizer, texts, self.config.language_tokens).to(self.accelerator.device)

    @torch.no_grad()
    def validate(self, latent_steps: int = 0) -> dict[str, float]:
        """Measure on what was never trained on.

        Args:
            latent_steps: Latent steps after each segment that is answered.

        Returns:
            For each name of ``held_out`` the loss of the last answer ("valid_loss/NAME") and the share of
            conversations whose last answer is right in every token ("valid_exact/NAME"), from the state
            alone and teacher forced; with general texts, their perplexity and that of the base.
        """
        self.model.eval()
        found: dict[str, float] = {}
        for name, examples in self.held_out.items():
            losses, right, size = [], 0, self.config.batch_size
            for start in range(0, len(examples), size):
                batch = collate(self.tokenizer, examples[start : start + size]).to(self.accelerator.device)
                with self._autocast():
                    logits, labels = self.objective.answers(batch, latent_steps=latent_steps)[-1]
                losses.append(torch.nn.functional.cross_entropy(logits.float(), labels).item())
                last = batch.answers[-1]
                assert last is not None
                lengths = last.mask.sum(-1) - batch.cue
                hits = (logits.argmax(-1) == labels).split(lengths.tolist())
                right += sum(bool(hit.all()) for hit in hits)
            found[f"valid_loss/{name}"] = sum(losses) / len(losses)
            found[f"valid_exact/{name}"] = right / len(examples)
        if self.texts_held_out:
            texts = self._collated(self.texts_held_out)
            with self._autocast():
                found["perplexity"] = self.objective.perplexity(texts, base=False)
                found["perplexity/base"] = self.objective.perplexity(texts, base=True)
        self.model.train()
        return found

    def _batches(self) -> Iterator[list[Example]]:
        """This process's batches from the present step on."""
        pools = _Pools(
            self.examples, self.config.seed, self.config.batch_size, self.accelerator.process_index
        )
        first = self.step // _POOL_BATCHES
        loader: Any = DataLoader(
            pools,
            batch_size=None,
            sampler=itertools.count(first),
            num_workers=self.config.workers,
            collate_fn=list,
        )
        skipped = self.step - first * _POOL_BATCHES
        return itertools.islice(itertools.chain.from_iterable(loader), skipped, None)


class Log(contextlib.AbstractContextManager["Log"]):
    """Metrics as lines of JSON and, where it is installed, as TensorBoard files; of one process alone."""

    def __init__(self, folder: Path, active: bool, first: int) -> None:
        self.folder, self.active = folder, active
        self.board: Any = None
        if active:
            folder.mkdir(parents=True, exist_ok=True)
        if active and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # slow to import

            self.board = SummaryWriter(str(folder), purge_step=first + 1)

    def write(self, metrics: Mapping[str, float]) -> None:
        """Append one step."""
        if not self.active:
            return
        with (self.folder / "metrics.jsonl").open("a") as log:
            log.write(json.dumps(metrics) + "\n")
        if self.board is not None:
            for name, value in metrics.items():
                self.board.add_scalar(name, value, metrics["step"])

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self.board.close()
