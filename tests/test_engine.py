"""The engine against transformers and PEFT, on tiny random models of two architectures, with vLLM as it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from haloforge.errors import BadInput, RunStopped, SwapNotProved
from haloforge.generation.engine import VllmEngine
from haloforge.generation.settings import EngineSettings
from haloforge.proof import judge_swap, rms_difference
from haloforge.records import Prompt, SampleRequest, TrainingExample
from tests.tiny_models import build_adapter, build_model, edit_adapter

pytestmark = pytest.mark.engine

TENSORS = 2 * 7 * 2  # layers, projections, A and B


@dataclass
class Rig:
    """A running engine with its loop, its model and two adapters."""

    engine: VllmEngine
    runner: asyncio.Runner
    model: Path
    one: Path
    two: Path
    children: list
    files: list

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def all(self, coroutines):
        async def gathered():
            return await asyncio.gather(*coroutines)

        return self.runner.run(gathered())

    def samples(self, requests):
        return self.all([self.engine.sample(r) for r in requests])


def mapped_shared_memory(processes):
    paths = {m.path for p in processes for m in p.memory_maps()}
    return [Path(p) for p in paths if p.startswith("/dev/shm/") and Path(p).exists()]


def start(folder, architecture, **adapter):
    import psutil

    model = build_model(folder / "model", architecture, chat=architecture == "qwen2")
    one = build_adapter(model, folder / "one", seed=1, **adapter)
    two = build_adapter(model, folder / "two", seed=2, **adapter)
    mine = {c.pid for c in psutil.Process().children(recursive=True)}
    engine = VllmEngine(EngineSettings(str(model), dtype="float32", max_model_len=192, max_num_seqs=24))
    runner = asyncio.Runner()
    runner.run(engine.start())
    # Python's own resource tracker belongs to this process and ends with it.
    children = [
        c
        for c in psutil.Process().children(recursive=True)
        if c.pid not in mine and "resource_tracker" not in " ".join(c.cmdline())
    ]
    sockets = [c.laddr for child in children for c in child.net_connections("unix")]
    files = [Path(f) for f in sockets if f.startswith("/")] + mapped_shared_memory(children)
    return Rig(engine, runner, model, one, two, children, files)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    rig = start(tmp_path_factory.mktemp("qwen"), "qwen2")
    yield rig
    rig.run(rig.engine.close())
    rig.runner.close()


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """Plain prompts, rank below the engine's, rsLoRA; and no compiler on the PATH of vLLM's processes."""
    tools = tmp_path_factory.mktemp("tools")
    for tool in ("lscpu", "sh", "uname", "ldconfig"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    before, os.environ["PATH"] = os.environ["PATH"], str(tools)
    try:
        assert shutil.which("g++") is None
        assert shutil.which("gcc") is None
        rig = start(tmp_path_factory.mktemp("llama"), "llama", rank=6, alpha=9, use_rslora=True)
    finally:
        os.environ["PATH"] = before
    yield rig
    rig.run(rig.engine.close())
    rig.runner.close()


def requests(count, temperature=1.0, new=40, per_prompt=4):
    return [
        SampleRequest(
            f"c1/p{i // per_prompt}/{i % per_prompt}",
            Prompt(f"p{i // per_prompt}", f"write a program that prints {i // per_prompt}"),
            cycle=1,
            index=i % per_prompt,
            seed=1000 + i,
            temperature=temperature,
            max_new_tokens=new,
        )
        for i in range(count)
    ]


def examples(samples):
    return [TrainingExample(s.id, s.prompt_token_ids, s.token_ids) for s in samples]


def reference_scores(rig, sequences, adapter=None):
    """The same log-probabilities by transformers and PEFT, one sequence at a time."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(rig.model, dtype=torch.float32)
    if adapter:
        model = PeftModel.from_pretrained(model, adapter)
    scores = []
    for s in sequences:
        ids = torch.tensor([s.prompt_token_ids + s.token_ids])
        with torch.no_grad():
            logprobs = model(ids).logits[0].double().log_softmax(-1)
        start = len(s.prompt_token_ids)
        scores.append(tuple(float(logprobs[i - 1, ids[0, i]]) for i in range(start, ids.shape[1])))
    return scores


def test_a_seed_gives_the_same_sample_alone_reversed_and_in_any_crowd(qwen):
    wanted = requests(48)
    together = qwen.samples(wanted)
    assert qwen.samples(wanted[::-1])[::-1] == together
    alone = [qwen.run(qwen.engine.sample(r)) for r in wanted[:6]]
    assert alone == together[:6]
    assert len({s.token_ids for s in together}) == len(together)  # and different seeds differ


def test_samples_stop_at_the_end_token_or_at_the_length(qwen):
    samples = qwen.samples(requests(60, new=100))
    tokenizer = qwen.engine._tokenizer
    by_reason = {reason: [s for s in samples if s.finish_reason == reason] for reason in ("stop", "length")}
    assert sum(map(len, by_reason.values())) == 60
    assert min(map(len, by_reason.values())) >= 3
    for s in by_reason["stop"]:
        assert s.token_ids[-1] in (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>"))
        assert s.text == tokenizer.decode(s.token_ids[:-1], skip_special_tokens=True)
    for s in by_reason["length"]:
        assert len(s.token_ids) == 100
        assert tokenizer.eos_token_id not in s.token_ids


def test_a_stop_string_ends_a_sample_and_is_not_in_its_text(llama, monkeypatch):
    assert llama.engine._stop_strings == ["\n### Task"]
    monkeypatch.setattr(llama.engine, "_stop_strings", ["e"])
    stopped = [s for s in llama.samples(requests(16, new=100)) if s.finish_reason == "stop"]
    assert len(stopped) >= 8
    for s in stopped:
        assert "e" not in s.text
        if s.token_ids[-1] not in llama.engine._stop_token_ids:
            assert "e" in llama.engine._tokenizer.decode(s.token_ids[-1:])


@pytest.mark.parametrize("rig", ["qwen", "llama"])
def test_greedy_decoding_equals_that_of_transformers(rig, request):
    import torch
    from transformers import AutoModelForCausalLM

    rig = request.getfixturevalue(rig)
    model = AutoModelForCausalLM.from_pretrained(rig.model, dtype=torch.float32)
    for sample in rig.samples(requests(3, temperature=0, new=30, per_prompt=1)):
        ids = torch.tensor([sample.prompt_token_ids])
        out = model.generate(
            ids, max_new_tokens=30, do_sample=False, eos_token_id=rig.engine._stop_token_ids, pad_token_id=0
        )
        assert tuple(out[0, ids.shape[1] :].tolist()) == sample.token_ids


@pytest.mark.parametrize("rig", ["qwen", "llama"])
def test_scores_equal_those_of_peft_and_a_swap_is_proved_by_them(rig, request):
    """Also without a compiler: `llama` has none on its PATH."""
    rig = request.getfixturevalue(rig)
    sequences = examples(rig.samples(requests(12)))
    base = reference_scores(rig, sequences)
    noise = rms_difference(rig.run(rig.engine.score(sequences, "none")), base)
    assert noise < 1e-5

    rig.run(rig.engine.load_adapter(rig.one, 1))
    engine = rig.run(rig.engine.score(sequences))
    new = reference_scores(rig, sequences, rig.one)
    print(f"noise at the base {noise:.2e}, with adapter {rms_difference(engine, new):.2e} nats rms")
    report = rig.run(rig.engine.inspect_adapter())
    proof = judge_swap(report, engine, new, base, max(noise, 1e-6))
    assert proof.decided_by == "exact and behaviour"
    assert proof.rms_update > 0.05
    with pytest.raises(SwapNotProved, match="closer to the previous adapter"):
        judge_swap(report, rig.run(rig.engine.score(sequences, "none")), new, base, max(noise, 1e-6))


def test_requests_with_and_without_adapter_do_not_mix_in_a_batch(qwen):
    """vLLM's own CPU kernels fail here: they give a token without adapter the weights of the last slot."""
    sequences = examples(qwen.samples(requests(8)))
    for cycle, folder in enumerate((qwen.one, qwen.two), 1):  # both slots are taken, so the last one too
        qwen.run(qwen.engine.load_adapter(folder, cycle))
    apart = [qwen.run(qwen.engine.score(sequences, kind)) for kind in ("current", "none")]
    mixed = qwen.all([qwen.engine.score(sequences, kind) for kind in ("current", "none")])
    assert rms_difference(*apart) > 0.05
    for a, m in zip(apart, mixed, strict=True):
        assert rms_difference(a, m) < 1e-5


@pytest.mark.parametrize("rig", ["qwen", "llama"])
def test_every_served_tensor_is_found_equal_to_the_file(rig, request):
    rig = request.getfixturevalue(rig)
    for cycle, folder in enumerate((rig.one, rig.two, rig.one), 1):
        rig.run(rig.engine.load_adapter(folder, cycle))
        report = rig.run(rig.engine.inspect_adapter())
        assert report.ok, report
        assert report.matched == TENSORS


def names(tensors, *parts):
    return {k for k in tensors if any(p in k for p in parts)}


THREE = ("layers.0.self_attn.k_proj", "layers.1.mlp.up_proj", "layers.1.mlp.down_proj")
BROKEN = {
    "an adapter of zeros": (lambda t: {k: v * 0 for k, v in t.items()}, (0, TENSORS, 0)),
    "three modules missing": (lambda t: {k: v for k, v in t.items() if k not in names(t, *THREE)}, (22, 6, 0)),
    "one tensor scaled by 1.01": (
        lambda t: {k: v * (1.01 if k in names(t, "layers.1.self_attn.v_proj.lora_B") else 1) for k, v in t.items()},
        (TENSORS - 1, 0, 1),
    ),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("rig", ["qwen", "llama"])
def test_an_engine_that_serves_something_else_is_found_out(rig, what, request, tmp_path):
    rig = request.getfixturevalue(rig)
    change, expected = BROKEN[what]
    rig.run(rig.engine.load_adapter(edit_adapter(rig.one, tmp_path / "broken", change), 1))
    report = rig.run(rig.engine.inspect_adapter(rig.one))
    assert (report.matched, len(report.missing), len(report.differing)) == expected
    assert not report.ok


def test_the_old_adapter_behind_a_new_file_is_found_out_and_so_are_modules_that_no_file_has(qwen, tmp_path):
    qwen.run(qwen.engine.load_adapter(qwen.one, 1))
    report = qwen.run(qwen.engine.inspect_adapter(qwen.two))
    assert (report.matched, len(report.differing)) == (0, TENSORS)
    fewer = edit_adapter(qwen.one, tmp_path / "fewer", BROKEN["three modules missing"][0])
    report = qwen.run(qwen.engine.inspect_adapter(fewer))
    assert (report.matched, len(report.extra)) == (22, 6)
    assert not report.ok


def test_running_requests_finish_on_the_adapter_they_began_with(qwen):
    engine, wanted = qwen.engine, requests(24, new=120)
    qwen.run(engine.load_adapter(qwen.two, 2))
    on_two = qwen.samples(wanted)
    qwen.run(engine.load_adapter(qwen.one, 1))
    on_one = qwen.samples(wanted)

    async def swap_under_load():
        running = [asyncio.create_task(engine.sample(r)) for r in wanted]
        await asyncio.sleep(0.1)
        new = await engine.load_adapter(qwen.two, 2)
        assert engine.served is new
        later = [asyncio.create_task(engine.sample(r)) for r in wanted]
        assert sum(not t.done() for t in running) >= 12
        loaded = await engine._engine.list_loras()
        await engine.drop_previous()
        assert all(t.done() for t in running)
        return await asyncio.gather(*running), await asyncio.gather(*later), loaded, await engine._engine.list_loras()

    before, after, loaded, left = qwen.run(swap_under_load())
    assert before == on_one
    assert after == on_two
    assert on_one != on_two
    assert (len(loaded), list(left)) == (2, [engine.served.id])


def test_an_adapter_that_cannot_be_loaded_leaves_the_served_one_in_place(qwen, tmp_path):
    served = qwen.run(qwen.engine.load_adapter(qwen.one, 1))
    with pytest.raises(RunStopped, match="cannot load adapter"):
        qwen.run(qwen.engine.load_adapter(tmp_path / "nothing", 2))
    assert qwen.engine.served == served
    assert qwen.run(qwen.engine.inspect_adapter()).ok


def test_what_does_not_fit_is_named_with_its_lengths(qwen):
    (request,) = requests(1, new=190)
    with pytest.raises(BadInput, match=r"prompt p0 has \d+ tokens and asks for 190 .* 192 holds 191"):
        qwen.run(qwen.engine.sample(request))
    with pytest.raises(BadInput, match="x has 192 tokens"):
        qwen.run(qwen.engine.score([TrainingExample("x", (5,) * 92, (5,) * 100)]))
    (longest,) = qwen.run(qwen.engine.score([TrainingExample("x", (5,) * 91, (5,) * 100)]))
    assert len(longest) == 100


def test_a_folder_that_is_no_model_is_refused_before_vllm_starts(tmp_path):
    with pytest.raises(BadInput, match=r"no config\.json"):
        asyncio.run(VllmEngine(EngineSettings(str(tmp_path))).start())


def test_heads_that_vllms_cpu_attention_does_not_know_are_refused_before_vllm_starts(tmp_path):
    model = build_model(tmp_path / "model", hidden=32, heads=2)
    with pytest.raises(BadInput, match=r"heads of 16 numbers .* 32, 64"):
        asyncio.run(VllmEngine(EngineSettings(str(model))).start())


def test_the_dense_kernels_equal_vllms_own_and_leave_tokens_without_adapter_alone():
    """vLLM's kernels are the reference where every token has an adapter, plain products where some have none."""
    import torch
    from vllm.lora.layers import LoRAMapping
    from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

    from haloforge.generation.cpu_lora import DenseLoraWrapper, _fuse

    torch.manual_seed(0)
    slices, rank, width = (24, 8, 8), 4, 16

    class Module:
        lora_a_stacked = tuple(torch.randn(2, 1, rank, width) for _ in slices)
        lora_b_stacked = tuple(torch.randn(2, 1, n, rank) for n in slices)

    originals = Module.lora_a_stacked, Module.lora_b_stacked
    vllms = PunicaWrapperCPU(64, max_batches=8, device="cpu")
    ours = DenseLoraWrapper(PunicaWrapperCPU(64, max_batches=8, device="cpu"))
    module = Module()
    _fuse(module, ours)
    x, y = torch.randn(10, width), torch.randn(10, sum(slices))
    for ids in ([7] * 10, [9] * 10, [7, 9, 9, 7, 7, 7, 9, 7, 9, 9], [7, 0, 9, 0, 0, 7, 9, 9, 7, 0], [0] * 10):
        mapping = LoRAMapping(tuple(ids), tuple(ids), is_prefill=True)
        expected, result = y.clone(), y.clone()
        if 0 not in ids:
            vllms.update_metadata(mapping, [7, 9], 3, 100)
            vllms.add_lora_linear(expected, x, *originals, 1.0, slices)
        else:
            for row, slot in ((r, (7, 9).index(i)) for r, i in enumerate(ids) if i):
                products = [b[slot, 0] @ (a[slot, 0] @ x[row]) for a, b in zip(*originals, strict=True)]
                expected[row] += torch.cat(products)
        ours.update_metadata(mapping, [7, 9], 3, 100)
        ours.add_lora_linear(result, x, module.lora_a_stacked, module.lora_b_stacked, 1.0, slices)
        torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-5)


def alive(process):
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(rig, within_s=10.0):
    """No process of the engine, none of its files: neither sockets nor shared memory."""
    deadline = time.monotonic() + within_s
    assert len(rig.children) == 2  # engine core and worker
    while any(map(alive, rig.children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(filter(alive, rig.children))
    kinds = {f.parts[1:3] for f in rig.files}
    assert len(rig.files) >= 3  # so that their absence says something
    assert ("dev", "shm") in kinds
    assert not [f for f in rig.files if f.exists()]


def test_a_dead_engine_is_not_healthy_says_so_and_still_closes_clean(llama):
    assert llama.run(llama.engine.healthy())
    core = next(c for c in llama.children if "EngineCore" in c.name() + " ".join(c.cmdline()))
    core.kill()
    core.wait(10)
    with pytest.raises(RunStopped, match="died"):
        llama.run(llama.engine.sample(requests(1)[0]))
    assert not llama.run(llama.engine.healthy(5))
    llama.run(llama.engine.close())
    gone(llama)


def test_close_leaves_no_process_no_socket_and_no_file(qwen):
    scratch = Path(qwen.engine._scratch)
    sockets = [f for f in qwen.files if f.is_socket()]
    assert sockets
    assert all(f.parent == scratch for f in sockets)
    qwen.run(qwen.engine.close())
    assert not scratch.exists()
    gone(qwen)
    assert not qwen.run(qwen.engine.healthy())
    qwen.run(qwen.engine.close())
