"""What writes bodies of functions: a decoder on this machine, or an endpoint that the person names.

A base needs no adapter here: it continues the function's head as text in its window, and no state is read.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from transformers import PreTrainedTokenizerBase

from lpm_model.base import adapter_file, load_alone
from lpm_model.decoder import WithHead
from lpm_model.sampling import Sampling, continuations
from tools.cache import cache_dir
from tools.code_writer.logic import CodeModel, Proposed, Task, body_end, body_of, imports_of
from tools.tool import BadInput, Spent

__all__ = ["KEY_VARIABLE", "Endpoint", "LocalModel", "chosen_model", "reading_base"]

KEY_VARIABLE = "LPM_ENDPOINT_KEY"
"""Environment variable with the endpoint's key, where it needs one."""

_SEED = 0
_SAMPLING = Sampling()
_SECONDS = 120.0  # for one answer of an endpoint
_MOST_BYTES = 10_000_000
_ASKED = (
    "Write the body of the last Python function below, which has none yet. Use only the standard library. "
    "Answer with the whole function in one Python code block and nothing else."
)


def reading_base(base: Path | None) -> Path | None:
    """The base that reads the request: one without an adapter can write functions only."""
    return base if base is None or adapter_file(base).is_file() else None


def chosen_model(
    base: str | Path | None, *, endpoint: str | None = None, name: str | None = None
) -> Callable[[], CodeModel]:
    """What makes the model that the options name; nothing is loaded or asked before it is needed.

    Args:
        base: Folder of a base; None for the embedded one.
        endpoint: Address of an OpenAI-compatible endpoint up to ``/v1``, to be asked instead.
        name: The endpoint's model.

    Raises:
        BadInput: If the endpoint is no address, or its model is not named.
    """
    if endpoint is None:
        if name is not None:
            raise BadInput("a model is named, but no endpoint that has it")
        return lambda: LocalModel(*load_alone(base, cache_dir()))
    if name is None:
        raise BadInput("an endpoint is named, but not which of its models to ask")
    made = Endpoint(endpoint, name, os.environ.get(KEY_VARIABLE))
    return lambda: made


def _prompt(task: Task) -> str:
    """The function as a program that is to be continued, with its tests and what failed as comments."""
    lines = [f"# {line}" for line in task.function.asserted]
    if task.failed is not None:
        lines += ["# This body is wrong:", *(f"# {line}" for line in task.failed.body.splitlines())]
        lines += [f"# {line}" for line in task.failed.reason.splitlines()]
    return "\n\n".join(part for part in (task.before, "\n".join([*lines, task.function.cue])) if part)


class LocalModel:
    """Continues functions with a decoder, several bodies in one batch.

    The same tasks in the same order give the same bodies.

    Args:
        model: For inference, its memory empty; its weights are packed.
        tokenizer: Its tokenizer.
        sampling: How tokens are chosen.
    """

    def __init__(
        self, model: WithHead, tokenizer: PreTrainedTokenizerBase, sampling: Sampling = _SAMPLING
    ) -> None:
        self._model, self._tokenizer, self._sampling = model.pack(), tokenizer, sampling
        self._generator = torch.Generator().manual_seed(_SEED)
        self.name = "local"

    def propose(self, task: Task, count: int) -> Proposed:
        """See ``tools.code_writer.logic.CodeModel``; no body where the function does not fit the window."""
        room = self._model.config.max_position_embeddings - self._sampling.max_tokens
        room -= self._model.config.num_slots  # windows begin behind the memory's positions
        for prompt in (_prompt(task), task.function.cue):
            read = len(self._tokenizer.encode(prompt, add_special_tokens=False))
            if read > room:
                continue
            found = continuations(
                self._model, self._tokenizer, [prompt], count, body_end, self._sampling, self._generator
            )
            (written,) = found.every
            spent = Spent(
                model_calls=found.forwards, tokens_in=read, tokens_out=sum(one.tokens for one in written)
            )
            return Proposed(tuple(one.text.strip("\n").rstrip() for one in written), spent)
        return Proposed((), Spent())


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)

    content: str | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True)

    message: _Message


class _Tokens(BaseModel):
    model_config = ConfigDict(frozen=True)

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    """What is used of an answer of ``POST /chat/completions``."""

    model_config = ConfigDict(frozen=True)

    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: _Tokens | None = None


class Endpoint:
    """Asks an OpenAI-compatible endpoint. The functions of the person's file leave this machine.

    Args:
        address: Up to ``/v1``; http or https.
        model: Which of its models to ask.
        key: Sent as a bearer token; None for none.

    Raises:
        BadInput: If the address is none.
    """

    def __init__(self, address: str, model: str, key: str | None = None) -> None:
        try:
            parts = urllib.parse.urlsplit(address)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # of the port, too
            usable = False
        if not usable:
            raise BadInput(f"{address!r} is no address of an endpoint: it is like http://localhost:8000/v1")
        self._address, self._model, self._key = address.rstrip("/"), model, key
        self.name = f"{model} at {parts.hostname}"

    def propose(self, task: Task, count: int) -> Proposed:
        """See ``tools.code_writer.logic.CodeModel``; it is asked again while it gives fewer bodies.

        Raises:
            OSError: If the endpoint cannot be reached, refuses, or answers in another form.
        """
        texts: list[str] = []
        spent = Spent()
        for _ in range(count):
            answer = self._ask(f"{_ASKED}\n\n{_prompt(task)}", count - len(texts))
            texts += [choice.message.content or "" for choice in answer.choices]
            used = answer.usage or _Tokens()
            spent += Spent(model_calls=1, tokens_in=used.prompt_tokens, tokens_out=used.completion_tokens)
            if len(texts) >= count:
                break
        return Proposed(tuple(_body(text, task.function.name) for text in texts), spent)

    def _ask(self, text: str, count: int) -> _Completion:
        asked = {"model": self._model, "n": count, "messages": [{"role": "user", "content": text}]}
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(
            f"{self._address}/chat/completions", json.dumps(asked).encode(), headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return _Completion.model_validate_json(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace")
            raise OSError(f"the endpoint {self._address} refuses ({error.code}): {said}") from error
        except ValidationError as error:
            raise OSError(
                f"the endpoint {self._address} does not answer in OpenAI's form: {error.errors()[0]['msg']}"
            ) from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise OSError(f"the endpoint {self._address} cannot be asked: {error}") from error


def _body(text: str, name: str) -> str:
    """The body in an answer: in its first block of code, or in all of it; what is no function is no body."""
    source = _block(text.splitlines())
    body = body_of(source, name)
    return "" if body is None else "\n".join([*(f"    {line}" for line in imports_of(source)), body])


def _block(lines: Sequence[str]) -> str:
    fences = [place for place, line in enumerate(lines) if line.startswith("```")]
    if not fences:
        return "\n".join(lines)
    end = fences[1] if len(fences) > 1 else len(lines)
    return "\n".join(lines[fences[0] + 1 : end])
