"""One vLLM engine: seeded samples, scores of given tokens, and adapters that are swapped under running requests.

`VllmEngine` is plain asyncio around vLLM's `AsyncLLM` and knows neither Ray nor rewards. It runs on vLLM's CPU build
and is written for its CUDA and ROCm builds too. Not here: ending vLLM's processes when the owner is killed with
SIGKILL, and judging whether a swap is proved (haloforge/proof.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from haloforge.errors import BadInput, RunStopped
from haloforge.generation.launch import attention_backend, cpu_settings, environment, shared_memory
from haloforge.generation.settings import EngineSettings
from haloforge.proof import ExactReport
from haloforge.records import Sample, SampleRequest, TrainingExample

WORKER_EXTENSION = "haloforge.generation.served_lora.ServedLora"


@dataclass(frozen=True)
class ServedAdapter:
    """One adapter in the engine; vLLM compares adapters by name, so name and id are never used twice."""

    name: str
    id: int
    cycle: int
    folder: str


class VllmEngine:
    """One engine with at most two adapters loaded: the served one and, until dropped, the previous one."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._engine: Any = None
        self._scratch: str | None = None
        self._shared_memory: list[Path] = []
        self._served: ServedAdapter | None = None
        self._previous: ServedAdapter | None = None
        self._loads = 0
        self._scores = 0
        self._in_flight: Counter[int] = Counter()  # by adapter id, 0 is the base
        self._changed = asyncio.Condition()

    @property
    def served(self) -> ServedAdapter | None:
        """The adapter that new samples use; None is the base model."""
        return self._served

    async def start(self) -> None:
        """Start vLLM's processes and load the model; blocks the event loop while it does (tens of seconds).

        Raises:
            BadInput: the folder holds no model or no tokenizer, or `max_model_len` is beyond what the model knows.
            RunStopped: vLLM's processes did not come up.
        """
        from haloforge.rendering import load_tokenizer, render_prompt, stop_strings, stop_token_ids

        if self._engine is not None:
            raise RuntimeError("this engine is started already")
        s = self.settings
        if not (Path(s.model_dir) / "config.json").is_file():
            raise BadInput(f"{s.model_dir} is not a model folder: it has no config.json")
        self._tokenizer: Any = load_tokenizer(s.model_dir, s.trust_remote_code)
        self._stop_token_ids = stop_token_ids(self._tokenizer, s.model_dir)
        self._stop_strings = stop_strings(self._tokenizer)
        self._render = lru_cache(maxsize=4096)(
            lambda text: tuple(render_prompt(self._tokenizer, text, s.system_prompt))
        )
        # Sockets and rendezvous files go where close() removes them. Unix socket paths end at 107 characters.
        self._scratch = tempfile.mkdtemp(prefix="haloforge-engine-", dir=s.scratch_dir)
        try:
            with environment(self._scratch, s.debug) as environ:
                from vllm import AsyncEngineArgs
                from vllm.platforms import current_platform
                from vllm.v1.engine.async_llm import AsyncLLM

                on_cpu = current_platform.is_cpu()
                arguments: dict[str, Any] = {
                    "model": s.model_dir,
                    "dtype": s.dtype,
                    "max_model_len": s.max_model_len,
                    "max_num_seqs": s.max_num_seqs,
                    "seed": s.seed,
                    "trust_remote_code": s.trust_remote_code,
                    "enforce_eager": bool(s.enforce_eager),
                    "generation_config": "vllm",  # sampling is as requested, not as the model's folder suggests
                    "gpu_memory_utilization": s.gpu_memory_utilization,
                    "kv_cache_memory_bytes": s.kv_cache_memory_bytes,
                    "enable_prefix_caching": True,
                    "disable_log_stats": True,
                    "worker_extension_cls": WORKER_EXTENSION,
                }
                if s.lora:
                    # Two slots: the previous adapter serves its requests to the end while the new one is in.
                    arguments |= {"enable_lora": True, "max_loras": 2, "max_cpu_loras": 2}
                    arguments |= {"max_lora_rank": s.max_lora_rank, "lora_target_modules": list(s.lora_modules)}
                if s.max_num_batched_tokens is not None:
                    arguments["max_num_batched_tokens"] = s.max_num_batched_tokens
                if s.safetensors_load_strategy is not None:
                    arguments["safetensors_load_strategy"] = s.safetensors_load_strategy
                if s.attention_backend is not None:
                    arguments["attention_backend"] = attention_backend(s.attention_backend)
                if on_cpu:
                    cpu_arguments, cpu_environ = cpu_settings(s)
                    arguments |= cpu_arguments
                    environ.update(cpu_environ)
                try:
                    self._engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
                except ValueError as e:
                    raise BadInput(f"vLLM refuses {s.model_dir} with these settings: {e}") from e
                except RuntimeError as e:
                    raise RunStopped(f"vLLM did not start on {s.model_dir}: {e} (--debug shows its own log)") from e
                self._shared_memory = shared_memory(self._scratch)
                if on_cpu and s.lora:
                    await self._engine.collective_rpc("haloforge_use_dense_lora")
        except BaseException:
            self._remove()
            raise

    async def close(self) -> None:
        """End vLLM's processes and remove their files; running requests are lost. Twice is fine."""
        self._remove()

    def _remove(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.shutdown(timeout=5)
        for file in self._shared_memory:  # still there where one of vLLM's processes was killed
            file.unlink(missing_ok=True)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def sample(self, request: SampleRequest) -> Sample:
        """Draw one completion, with the adapter that is served now. Cancelling it ends it in the engine too.

        `token_ids` are what was sampled, including the end token or the tokens of a stop string; `text` is without.

        Raises:
            BadInput: prompt and `max_new_tokens` do not fit `max_model_len`.
            RunStopped: the engine is dead.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        prompt_ids = self._render(request.prompt.text)
        room = self.settings.max_model_len - 1
        if len(prompt_ids) + request.max_new_tokens > room:
            raise BadInput(
                f"prompt {request.prompt.id} has {len(prompt_ids)} tokens and asks for {request.max_new_tokens} new "
                f"ones; max_model_len {self.settings.max_model_len} holds {room} together"
            )
        greedy = request.temperature == 0
        params = SamplingParams(
            temperature=request.temperature,
            top_p=1.0 if greedy else request.top_p,
            seed=None if greedy else request.seed,
            max_tokens=request.max_new_tokens,
            stop_token_ids=self._stop_token_ids,
            stop=self._stop_strings,
            # Only a stop string needs the text token by token; otherwise it is decoded once, at the end.
            detokenize=bool(self._stop_strings),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        output = await self._run(request.id, prompt_ids, params, self._served)
        completion = output.outputs[0]
        token_ids = tuple(completion.token_ids)
        text = completion.text
        if not self._stop_strings:
            ended = bool(token_ids) and token_ids[-1] in self._stop_token_ids
            text = self._tokenizer.decode(
                token_ids[:-1] if ended else token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return Sample(
            id=request.id,
            prompt_id=request.prompt.id,
            cycle=request.cycle,
            index=request.index,
            text=text,
            prompt_token_ids=prompt_ids,
            token_ids=token_ids,
            finish_reason=completion.finish_reason,
            seed=request.seed,
            temperature=request.temperature,
        )

    async def score(
        self, sequences: Sequence[TrainingExample], adapter: Literal["current", "none"] = "current"
    ) -> list[tuple[float, ...]]:
        """Natural log-probabilities at temperature 1 of each completion's tokens, given the prompt and those before.

        Raises:
            BadInput: a sequence does not fit `max_model_len`.
            RunStopped: the engine is dead.
        """
        from vllm import SamplingParams

        params = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        served = self._served if adapter == "current" else None

        async def one(sequence: TrainingExample) -> tuple[float, ...]:
            ids = sequence.prompt_token_ids + sequence.token_ids
            if len(ids) >= self.settings.max_model_len:
                raise BadInput(
                    f"sample {sequence.id} has {len(ids)} tokens; max_model_len {self.settings.max_model_len} "
                    "leaves room to score one less than itself"
                )
            self._scores += 1
            output = await self._run(f"score-{self._scores}", ids, params, served)
            start = len(sequence.prompt_token_ids)
            return tuple(output.prompt_logprobs[i][ids[i]].logprob for i in range(start, len(ids)))

        return list(await asyncio.gather(*map(one, sequences)))

    async def load_adapter(self, folder: str | Path, cycle: int) -> ServedAdapter:
        """Load a PEFT folder and serve it to every request that starts from now on.

        Running requests finish on the adapter that they began with, which stays loaded until `drop_previous`
        (called here first, where one is still there).

        Raises:
            RunStopped: the engine refuses the folder; what was served before still is.
        """
        from vllm.lora.request import LoRARequest

        await self.drop_previous()
        self._loads += 1
        new = ServedAdapter(f"cycle-{cycle}-load-{self._loads}", self._loads, cycle, str(Path(folder).resolve()))
        try:
            await self._live().add_lora(LoRARequest(new.name, new.id, new.folder))
        except Exception as e:  # vLLM's utility calls pass on any exception as a bare Exception
            raise RunStopped(f"the engine cannot load adapter {folder}: {e}") from e
        self._previous, self._served = self._served, new
        return new

    async def drop_previous(self) -> None:
        """Wait until no request uses the previous adapter any more, then remove it from the engine."""
        if (previous := self._previous) is None:
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_flight[previous.id] == 0)
        if self._previous is previous:
            self._previous = None
            await self._live().remove_lora(previous.id)

    async def inspect_adapter(self, folder: str | Path | None = None) -> ExactReport:
        """Compare the LoRA buffers behind the served adapter with a PEFT folder (default: the one it came from).

        Raises:
            RunStopped: no adapter is served, or the comparison itself failed.
        """
        if (served := self._served) is None:
            raise RunStopped("no adapter is served, so there is nothing to compare")
        arguments = (served.id, str(Path(folder or served.folder).resolve()))
        try:
            reports = await self._live().collective_rpc("haloforge_compare_lora", args=arguments)
        except Exception as e:  # see load_adapter
            raise RunStopped(f"cannot compare adapter {served.name} with {arguments[1]}: {e}") from e
        found = {key: tuple(sorted({n for r in reports for n in r[key]})) for key in ("missing", "differing", "extra")}
        return ExactReport(served.name, min(r["matched"] for r in reports), **found, workers=len(reports))

    async def healthy(self, timeout_s: float = 30.0) -> bool:
        """Whether the engine's workers answer within the time; they do so between two steps."""
        try:
            await asyncio.wait_for(self._live().collective_rpc("check_health"), timeout_s)
        except Exception:  # whatever went wrong, the answer is no
            return False
        return True

    def _live(self) -> Any:
        if self._engine is None:
            raise RunStopped("the engine is not running: start() it first")
        return self._engine

    async def _run(self, id: str, token_ids: tuple[int, ...], params: Any, adapter: ServedAdapter | None) -> Any:
        """The finished output of one request."""
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError

        lora = LoRARequest(adapter.name, adapter.id, adapter.folder) if adapter else None
        output = None
        async with self._counted(adapter.id if adapter else 0):
            try:
                prompt = {"prompt_token_ids": list(token_ids)}
                async for latest in self._live().generate(prompt, params, id, lora_request=lora):
                    output = latest
            except EngineDeadError as e:
                raise RunStopped(f"the vLLM engine died: {e}") from e
        assert output is not None
        assert output.finished
        return output

    @contextlib.asynccontextmanager
    async def _counted(self, adapter_id: int) -> AsyncIterator[None]:
        self._in_flight[adapter_id] += 1
        try:
            yield
        finally:
            self._in_flight[adapter_id] -= 1
            if self._previous is not None and not self._in_flight[adapter_id]:
                async with self._changed:
                    self._changed.notify_all()
