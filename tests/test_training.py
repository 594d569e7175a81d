"""The learner and SFT on tiny random models: real torch, PEFT and TRL, one thread."""

from __future__ import annotations

import itertools
import json
import os
import random
from dataclasses import replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from haloforge.errors import BadInput, LossNotFinite
from haloforge.records import TrainingExample
from haloforge.training import Learner, LearnerSettings, UpdatePlan, plan_steps, read_rows, run_sft
from haloforge.training.checkpoints import path_of, read_measurements, step_of, write_progress
from haloforge.training.measuring import Cadence, Measurements
from haloforge.training.plan import batch_order
from haloforge.training.sft import SftJob, SftRow, split_rows
from tests.tiny_models import build_adapter, build_model, edit_adapter

pytestmark = pytest.mark.engine

PLAN = UpdatePlan(learning_rate=5e-3, epochs=1, batch_size=4, warmup_ratio=0.1, seed=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_model(tmp_path_factory.mktemp("qwen2"))


def settings(model: Path, **changes) -> LearnerSettings:
    return replace(LearnerSettings(str(model), dtype="float32", threads=1), **changes)


def examples(n: int, seed: int = 0, prompt: int = 6, completion: int = 14) -> list[TrainingExample]:
    """Different lengths of random tokens; id 0 (EOS and pad) ends every second completion only."""
    rng = random.Random(seed)

    def ids(longest: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, 380) for _ in range(rng.randint(2, longest)))

    return [TrainingExample(str(i), ids(prompt), ids(completion) + ((0,) if i % 2 else ())) for i in range(n)]


def plain_logprobs(model, example: TrainingExample) -> list[float]:
    """One sequence alone, through the model's ordinary forward."""
    import torch

    ids = [*example.prompt_token_ids, *example.token_ids]
    with torch.no_grad():
        table = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    start = len(example.prompt_token_ids)
    return [table[i - 1, ids[i]].item() for i in range(start, len(ids))]


def flat(scores) -> list[float]:
    return [x for row in scores.logprobs for x in row]


def the_bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def walked_steps(n: int, batch: int, accumulation: int, epochs: int) -> int:
    """Optimizer steps counted by walking through the micro-batches."""
    taken = waiting = 0
    for _ in range(epochs):
        left = n
        while left > 0:
            left -= batch
            waiting += 1
            if waiting == accumulation:
                taken, waiting = taken + 1, 0
    return taken + (waiting > 0)


def test_min_steps_takes_accumulation_then_batch_then_epochs_and_no_more_than_needed():
    for n, batch, accumulation, epochs in itertools.product(range(1, 40), (1, 2, 5, 8), (1, 2, 4), (1, 2, 5)):
        plan = UpdatePlan(1e-3, epochs, batch, accumulation, min_steps=8, max_epochs=4, warmup_ratio=0.5)
        got = plan_steps(n, plan)
        case = (n, batch, accumulation, epochs)
        assert got.steps == walked_steps(n, got.batch_size, got.accumulation, got.epochs), case
        assert got.warmup_steps <= got.steps / 10

        # The answer by search: the first in order of preference that has the steps, else everything spent.
        choices = [(batch, a, epochs) for a in range(accumulation, 0, -1)]
        choices += [(b, 1, epochs) for b in range(batch - 1, 0, -1)]
        choices += [(1, 1, e) for e in range(epochs + 1, 5)]
        enough = [c for c in choices if walked_steps(n, *c) >= 8]
        assert (got.batch_size, got.accumulation, got.epochs) == (enough[0] if enough else choices[-1]), case
        changed = (got.batch_size != batch) + (got.accumulation != accumulation) + (got.epochs != epochs)
        assert len(got.notices) == changed + (not enough), case


def test_every_epoch_sees_every_sample_once_in_its_own_order():
    lengths = [random.Random(1).randint(5, 90) for _ in range(37)]
    steps = plan_steps(37, UpdatePlan(1e-3, epochs=3, batch_size=4))
    order = batch_order(lengths, steps, seed=5)
    assert order == batch_order(lengths, steps, seed=5) != batch_order(lengths, steps, seed=6)
    per_epoch = len(order) // 3
    epochs = [[i for batch in order[k * per_epoch : (k + 1) * per_epoch] for i in batch] for k in range(3)]
    assert all(sorted(epoch) == list(range(37)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert max(map(len, order)) == 4


# ── the update ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_moves_the_weights_and_lowers_the_loss_on_its_samples(base, tmp_path):
    learner, kept = Learner(settings(base)), examples(24)
    rows: list[dict[str, float]] = []
    before = learner.adapter_tensors()
    untouched = {name: p.clone() for name, p in learner._model.named_parameters() if "lora" not in name}
    report = learner.update(kept, replace(PLAN, epochs=3, logging_steps=2), tmp_path / "a", rows.append)

    after = learner.adapter_tensors()
    assert len(after) == 2 * 7 * 2  # A and B of seven projections in two layers
    assert all((after[name] != before[name]).any() for name in after)
    assert all((p == untouched[name]).all() for name, p in learner._model.named_parameters() if name in untouched)
    moved = sum(((after[n] - before[n]) ** 2).sum().item() for n in after)
    size = sum((t**2).sum().item() for t in before.values())
    assert report.weight_change == pytest.approx((moved / size) ** 0.5, rel=1e-4)

    assert report.loss_after < report.loss_before - 0.1
    assert report.loss_after == pytest.approx(learner.score(kept).mean_loss, abs=1e-6)
    assert report.loss_before == pytest.approx(learner.score(kept, "previous").mean_loss, abs=1e-6)
    assert (report.optimizer_steps, report.epochs, report.notices) == (18, 3, ())
    assert report.tokens == sum(len(e.token_ids) for e in kept)
    assert [row["step"] for row in rows] == list(range(2, 19, 2))
    assert all({"train_loss", "learning_rate", "epoch"} <= set(row) for row in rows)
    assert rows[-1]["epoch"] == pytest.approx(3)


def test_few_samples_still_take_min_steps(base, tmp_path):
    learner = Learner(settings(base))
    plan = replace(PLAN, batch_size=8, gradient_accumulation_steps=2)
    report = learner.update(examples(3), plan, tmp_path / "a")
    assert (report.optimizer_steps, report.epochs) == (9, 3)
    assert [notice.split(" ")[0] for notice in report.notices] == [
        "gradient_accumulation_steps",
        "batch_size",
        "epochs",
    ]


def test_eos_is_learned_only_where_it_was_sampled(base, tmp_path):
    prompt, answer = (5, 6, 7), (11, 12, 13)
    ended = TrainingExample("ended", prompt, (*answer, 0))

    def gain(trained: tuple[int, ...]) -> float:
        learner = Learner(settings(base, method="full"))  # an adapter cannot move EOS here: its row is the zero vector
        before = learner.score([ended]).logprobs[0][-1]
        # Padded beside a longer one, so that pad, which is the same id, stands where EOS would.
        longer = TrainingExample("longer", prompt, (*answer, 20, 21, 22, 23))
        plan = replace(PLAN, batch_size=2, epochs=12)
        learner.update([TrainingExample("x", prompt, trained), longer], plan, tmp_path / "a")
        return learner.score([ended]).logprobs[0][-1] - before

    assert gain((*answer, 0)) > 1.0
    assert gain(answer) < 0.0


def test_the_labels_are_the_sampled_tokens_and_nothing_is_truncated(base, tmp_path):
    from haloforge.training.fitting import collate

    kept = [*examples(5), TrainingExample("long", (4,) * 900, tuple(random.Random(0).choices(range(3, 380), k=1100)))]
    for packed in (False, True):
        batch = collate(kept, pad_id=0, packed=packed)
        labelled = batch["labels"] != -100
        assert batch["labels"][labelled].tolist() == [id for e in kept for id in e.token_ids]
        assert (batch["input_ids"][labelled] == batch["labels"][labelled]).all()
    learner = Learner(settings(base))
    assert len(learner.score(kept).logprobs[-1]) == 1100
    before = learner.score(kept[-1:]).logprobs[0]
    learner.update(kept, PLAN, tmp_path / "a")
    after = learner.score(kept[-1:]).logprobs[0]
    assert sum(after[-50:]) > sum(before[-50:])


def test_packed_samples_give_the_gradients_of_separate_ones(base):
    import torch

    from haloforge.training.fitting import collate, completion_logits

    kept = examples(6)
    for attention in ("sdpa", "eager"):
        learner = Learner(settings(base, attn_implementation=attention))
        for name, p in learner._weights():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.05)

        def gradients(batches, model=learner._model, weights=learner._weights):
            model.zero_grad()
            for batch in batches:
                logits, targets = completion_logits(model, batch)
                torch.nn.functional.cross_entropy(logits, targets, reduction="sum").backward()
            return torch.cat([p.grad.flatten().clone() for _, p in weights()])

        alone = gradients([collate([e], 0, packed=False) for e in kept])
        packed = gradients([collate(kept, 0, packed=True)])
        padded = gradients([collate(kept, 0, packed=False)])
        scale = alone.abs().max()
        assert (packed - alone).abs().max() < 1e-4 * scale
        assert (padded - alone).abs().max() < 1e-4 * scale
        mixed = collate(kept, 0, packed=True)
        mixed["position_ids"] = torch.arange(mixed["position_ids"].shape[1])[None]  # as if it were one sample
        assert (gradients([mixed]) - alone).abs().max() > 1e-2 * scale


def test_a_packed_update_is_the_unpacked_one(base, tmp_path):
    a, b = Learner(settings(base)), Learner(settings(base))
    kept = examples(16)
    a.update(kept, replace(PLAN, packing=True), tmp_path / "a")
    b.update(kept, replace(PLAN, packing=False), tmp_path / "b")
    assert flat(a.score(kept)) == pytest.approx(flat(b.score(kept)), abs=2e-3)


def test_large_vocabularies_take_trls_tiled_loss_with_the_same_result(base, tmp_path, monkeypatch):
    from haloforge.training import fitting

    kept = examples(16)
    for packing in (False, True):
        dense, tiled = Learner(settings(base)), Learner(settings(base))
        dense.update(kept, replace(PLAN, packing=packing), tmp_path / "a")
        with monkeypatch.context() as patch:
            patch.setattr(fitting, "DENSE_LOGITS_LIMIT", 0)
            tiled.update(kept, replace(PLAN, packing=packing), tmp_path / "b")
        assert flat(tiled.score(kept)) == pytest.approx(flat(dense.score(kept)), abs=2e-3)


def test_accumulated_micro_batches_are_one_large_batch(base, tmp_path):
    kept, plan = examples(16), replace(PLAN, epochs=2, min_steps=0, warmup_ratio=0.0)
    # One step per epoch either way: the order inside it cannot matter.
    large, small = Learner(settings(base)), Learner(settings(base))
    large.update(kept, replace(plan, batch_size=16), tmp_path / "a")
    small.update(kept, replace(plan, batch_size=2, gradient_accumulation_steps=8), tmp_path / "b")
    assert flat(small.score(kept)) == pytest.approx(flat(large.score(kept)), abs=2e-3)


def test_gradient_checkpointing_changes_nothing_but_memory(base, tmp_path):
    kept = examples(8)
    plain, checkpointed = Learner(settings(base)), Learner(settings(base, gradient_checkpointing=True))
    for learner, name in ((plain, "a"), (checkpointed, "b")):
        learner.update(kept, PLAN, tmp_path / name)
    assert flat(checkpointed.score(kept)) == pytest.approx(flat(plain.score(kept)), abs=1e-5)


def test_a_loss_that_is_not_finite_stops_and_leaves_learner_and_folder_as_they_were(base, tmp_path):
    import torch

    kept = examples(16)
    learner = Learner(settings(base))
    learner.update(kept, PLAN, tmp_path / "a")
    good, files = learner.adapter_tensors(), the_bytes(tmp_path / "a")
    with pytest.raises(LossNotFinite, match="learning_rate"):
        learner.update(kept, replace(PLAN, learning_rate=1e30, epochs=4, warmup_ratio=0.0), tmp_path / "a")
    assert all(torch.equal(tensor, good[name]) for name, tensor in learner.adapter_tensors().items())
    assert the_bytes(tmp_path / "a") == files
    assert learner.update(kept, PLAN, tmp_path / "b").loss_after > 0


# ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_the_adapters_folder_alone_loads_in_plain_peft_and_scores_like_the_learner(architecture, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = build_model(tmp_path / "base", architecture)
    learner, kept = Learner(settings(model)), examples(12)
    learner.update(kept, PLAN, tmp_path / "first")
    report = learner.update(kept, PLAN, tmp_path / "second")
    assert report.loss_after < report.loss_before

    def plain() -> object:
        return AutoModelForCausalLM.from_pretrained(model).eval()

    config = json.loads((tmp_path / "second" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(model)
    rounded = edit_adapter(
        tmp_path / "second", tmp_path / "rounded", lambda tensors: {n: t.bfloat16().float() for n, t in tensors.items()}
    )
    for which, expected in (
        ("served", PeftModel.from_pretrained(plain(), str(rounded)).eval()),
        ("current", PeftModel.from_pretrained(plain(), str(tmp_path / "second")).eval()),
        ("previous", PeftModel.from_pretrained(plain(), str(tmp_path / "first")).eval()),
        ("none", plain()),
    ):
        scores = learner.score(kept, which)  # type: ignore[arg-type]
        for example, row in zip(kept, scores.logprobs, strict=True):
            assert row == pytest.approx(plain_logprobs(expected, example), abs=1e-4), which
    assert flat(learner.score(kept, "current")) != flat(learner.score(kept, "previous"))
    assert flat(learner.score(kept, "current")) != flat(learner.score(kept, "served"))
    assert sorted(p.name for p in (tmp_path / "second").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_entropy_is_that_of_the_whole_vocabulary(base):
    import torch
    from transformers import AutoModelForCausalLM

    kept, model = examples(5), AutoModelForCausalLM.from_pretrained(base).eval()
    entropies = []
    for e in kept:
        ids = [*e.prompt_token_ids, *e.token_ids]
        with torch.no_grad():
            rows = torch.distributions.Categorical(logits=model(torch.tensor([ids])).logits[0]).entropy()
        entropies += rows[len(e.prompt_token_ids) - 1 : -1].tolist()
    expected = sum(entropies) / len(entropies)
    assert Learner(settings(base)).score(kept).entropy == pytest.approx(expected, abs=1e-4)


def test_scoring_in_small_batches_keeps_the_order(base, monkeypatch):
    from haloforge.training import learner as module

    kept, learner = examples(9), Learner(settings(base))
    whole = learner.score(kept)
    monkeypatch.setattr(module, "SCORING_LOGITS", 1)
    alone = learner.score(kept)
    assert [len(row) for row in alone.logprobs] == [len(e.token_ids) for e in kept]
    assert flat(alone) == pytest.approx(flat(whole), abs=1e-5)
    assert alone.entropy == pytest.approx(whole.entropy, abs=1e-5)


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.2}, {"dtype": "bfloat16"}])
def test_a_resumed_learner_goes_on_byte_for_byte_like_an_undisturbed_one(base, tmp_path, changes):
    cycles = [examples(12, seed) for seed in range(3)]
    undisturbed = Learner(settings(base, **changes))
    for n, kept in enumerate(cycles):
        undisturbed.update(kept, replace(PLAN, seed=n), tmp_path / f"u{n}")
    resumed = Learner(settings(base, **changes))
    resumed.start_adapter(tmp_path / "u0")
    resumed.update(cycles[1], replace(PLAN, seed=1), tmp_path / "r1")
    resumed = Learner(settings(base, **changes))
    resumed.start_adapter(tmp_path / "r1")
    resumed.update(cycles[2], replace(PLAN, seed=2), tmp_path / "r2")
    assert the_bytes(tmp_path / "r1") == the_bytes(tmp_path / "u1")
    assert the_bytes(tmp_path / "r2") == the_bytes(tmp_path / "u2")
    assert (
        the_bytes(tmp_path / "u1")["adapter_model.safetensors"]
        != the_bytes(tmp_path / "u0")["adapter_model.safetensors"]
    )


def test_a_fresh_adapter_is_the_same_for_the_same_seed_also_after_another_one(base, tmp_path):
    learner, kept = Learner(settings(base)), examples(8)
    fresh = learner.adapter_tensors()
    learner.update(kept, PLAN, tmp_path / "a")
    learner.start_adapter(tmp_path / "a")
    learner.start_adapter(None)
    assert all((tensor == fresh[name]).all() for name, tensor in learner.adapter_tensors().items())
    learner.update(kept, PLAN, tmp_path / "b")
    assert the_bytes(tmp_path / "a") == the_bytes(tmp_path / "b")
    other = Learner(settings(base, seed=1)).adapter_tensors()
    assert any((tensor != fresh[name]).any() for name, tensor in other.items())


def test_a_foreign_adapter_is_continued_with_its_own_shape(base, tmp_path):
    adapter = build_adapter(base, tmp_path / "sft", rank=4, target_modules=("q_proj", "v_proj"))
    learner = Learner(settings(base, lora_r=16))
    learner.start_adapter(adapter)
    learner.update(examples(8), PLAN, tmp_path / "a")
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert (config["r"], sorted(config["target_modules"])) == (4, ["q_proj", "v_proj"])


def test_wrong_folders_are_bad_input(base, tmp_path):
    with pytest.raises(BadInput, match="is not a model folder"):
        Learner(settings(tmp_path / "none"))
    learner = Learner(settings(base))
    with pytest.raises(BadInput, match="is not a complete adapter"):
        learner.start_adapter(tmp_path)
    larger = build_model(tmp_path / "larger", hidden=128)
    with pytest.raises(BadInput, match="does not fit base"):
        learner.start_adapter(build_adapter(larger, tmp_path / "adapter"))
    learner.start_adapter(None)
    assert learner.update(examples(8), PLAN, tmp_path / "a").loss_after > 0


# ── SFT ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sft_rows(n: int) -> list[SftRow]:
    return [SftRow(f"write sum {i % 7}", f"int main return {i % 7}") for i in range(n)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_full_sft_from_a_random_checkpoint_learns_and_reloads_as_it_was(dtype, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    from haloforge.rendering import load_tokenizer, render_completion, render_prompt

    model = build_model(tmp_path / "random", dtype=dtype)
    logged: list[dict[str, float]] = []
    plan = UpdatePlan(learning_rate=5e-3, epochs=2, batch_size=4, min_steps=0, scheduler="cosine", logging_steps=5)
    full = settings(model, method="full", dtype=dtype)
    report = run_sft(SftJob(full, sft_rows(48), plan, validation_split=0.3), tmp_path / "out", logged.append)

    assert Path(report.model_dir) == tmp_path / "out" / "final_model"
    assert report.update.loss_after < 0.5 * report.update.loss_before
    assert report.train_rows + report.eval_rows == 48
    assert {tuple(sorted(row)) for row in logged} == {
        ("epoch", "learning_rate", "step", "train_loss"),
        ("epoch", "eval_loss", "step"),
    }
    assert [row["epoch"] for row in logged if "eval_loss" in row] == [1.0, 2.0]
    assert report.eval_loss == [row["eval_loss"] for row in logged if "eval_loss" in row][-1]

    # The saved folder stands alone: dtype, tokenizer, and the losses that the report gives.
    assert str(AutoConfig.from_pretrained(report.model_dir).dtype) == f"torch.{dtype}"
    saved = AutoModelForCausalLM.from_pretrained(report.model_dir, dtype="float32").eval()
    tokenizer, (train, _) = load_tokenizer(report.model_dir), split_rows(sft_rows(48), 0.3, plan.seed)
    losses = []
    for row in train:
        prompt, answer = render_prompt(tokenizer, str(row.prompt)), render_completion(tokenizer, row.completion)
        losses += plain_logprobs(saved, TrainingExample("", tuple(prompt), tuple(answer)))
    tolerance = 1e-4 if dtype == "float32" else 3e-2
    assert -sum(losses) / len(losses) == pytest.approx(report.update.loss_after, abs=tolerance)


def test_full_training_resumes_from_its_folder_byte_for_byte(base, tmp_path):
    full = settings(base, method="full", dtype="bfloat16")
    undisturbed, kept = Learner(full), examples(8)
    undisturbed.update(kept, PLAN, tmp_path / "u1")
    undisturbed.update(kept, PLAN, tmp_path / "u2")
    Learner(replace(full, model_dir=str(tmp_path / "u1"))).update(kept, PLAN, tmp_path / "r2")
    assert the_bytes(tmp_path / "r2")["model.safetensors"] == the_bytes(tmp_path / "u2")["model.safetensors"]


def test_lora_sft_writes_an_adapter_that_a_learner_continues(base, tmp_path):
    report = run_sft(SftJob(settings(base), sft_rows(16), PLAN), tmp_path)
    assert (report.eval_rows, report.eval_loss) == (0, None)
    learner = Learner(settings(base))
    learner.start_adapter(report.model_dir)
    assert learner.update(examples(8), PLAN, tmp_path / "a").optimizer_steps == 8


def test_sft_leaves_out_what_is_too_long_and_never_cuts_it(base, tmp_path):
    rows = [*sft_rows(12), SftRow(None, "int " * 400)]
    report = run_sft(SftJob(settings(base), rows, PLAN, max_tokens=60), tmp_path)
    assert (report.train_rows, report.too_long) == (12, 1)
    with pytest.raises(BadInput, match="none is left to train on"):
        run_sft(SftJob(settings(base), rows, PLAN, max_tokens=3), tmp_path)


def test_held_out_prompts_are_never_trained_on():
    rows = sft_rows(50)
    train, held_out = split_rows(rows, 0.3, seed=1)
    assert len({r.prompt for r in held_out}) == 2  # floor(0.3 × 7 prompts)
    assert not {r.prompt for r in train} & {r.prompt for r in held_out}
    assert sorted(map(repr, train + held_out)) == sorted(map(repr, rows))
    assert split_rows(rows, 0.3, seed=1) == (train, held_out)


def test_rows_are_read_and_a_bad_one_is_named_by_its_line(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text('{"prompt": "p", "completion": "c"}\n\n{"text": "t", "metadata": {"a": 1}}\n', encoding="utf-8")
    assert read_rows(file) == [SftRow("p", "c"), SftRow(None, "t")]
    for bad, message in (
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is a list"),
        ('{"prompt": "p"}', 'line 2 is not a row: it has "prompt"'),
    ):
        file.write_text('{"text": "t"}\n' + bad, encoding="utf-8")
        with pytest.raises(BadInput, match=message):
            read_rows(file)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no rows"):
        read_rows(file)
    with pytest.raises(BadInput, match=r"cannot read training data .*No such file"):
        read_rows(tmp_path / "none")


# ── a training with checkpoints ─────────────────────────────────────────────────────────────────────────────────────


def overfitting() -> list[SftRow]:
    """Answers that nothing foretells: learnt by heart, they make the loss on other prompts rise."""
    words = random.Random(0).choices(["int", "main", "return", "for", "while", "sum"], k=240)
    return [SftRow(f"write {i}", " ".join(words[4 * i : 4 * i + 4])) for i in range(60)]


@pytest.mark.parametrize(("method", "dtype"), [("lora", "bfloat16"), ("full", "bfloat16"), ("full", "float32")])
def test_a_training_goes_on_from_any_checkpoint_to_the_same_bytes(base, tmp_path, method, dtype):
    from safetensors.torch import load_file

    plan = UpdatePlan(*(1e-2, 12, 4, 2), min_steps=0, scheduler="cosine", warmup_ratio=0.1, logging_steps=3)
    job = SftJob(
        settings(base, method=method, dtype=dtype, lora_dropout=0.1),
        *(overfitting(), plan, 0.2),
        cadence=Cadence(save_steps=20, patience=1, min_delta=0.001),
    )
    rows: list[dict[str, float]] = []
    written: list[Path] = []
    report = run_sft(job, tmp_path / "a", rows.append, on_checkpoint=written.append)

    measured = {row["step"]: row["eval_loss"] for row in rows if "eval_loss" in row}
    assert report.best_step == min((step for step in measured if step), key=lambda step: measured[step])
    assert report.best_step < report.update.optimizer_steps, "this test wants a best that is not the last"
    assert report.stopped_early
    assert report.update.optimizer_steps < 72  # 12 epochs × ceil(48 rows ÷ 4) ÷ 2
    assert report.start_eval_loss == measured[0]
    assert report.eval_loss == pytest.approx(measured[report.best_step], abs=1e-3 if dtype == "float32" else 2e-2)
    assert {step_of(path) for path in written} >= {20, report.best_step, report.update.optimizer_steps}

    name = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    kept = load_file(path_of(tmp_path / "a", report.best_step) / name)
    final = load_file(tmp_path / "a/final_model" / name)
    assert final.keys() == kept.keys()
    assert all((final[key] == kept[key].to(final[key].dtype)).all() for key in kept)

    for checkpoint in written:
        steps = step_of(checkpoint)
        assert steps
        best = read_measurements(checkpoint).best
        again: list[dict[str, float]] = []
        resumed = run_sft(
            job,
            tmp_path / f"from-{steps}",
            again.append,
            resume=checkpoint,
            best=path_of(tmp_path / "a", best[0]) if best else None,
        )
        assert the_bytes(tmp_path / f"from-{steps}/final_model") == the_bytes(tmp_path / "a/final_model")
        assert again == [row for row in rows if row["step"] > steps]
        assert replace(resumed.update, seconds=0) == replace(report.update, seconds=0)
        assert (resumed.best_step, resumed.stopped_early) == (report.best_step, True)


def test_checkpoints_change_nothing_of_what_is_trained(base, tmp_path):
    job = SftJob(settings(base), sft_rows(40), replace(PLAN, epochs=2, min_steps=0))
    run_sft(job, tmp_path / "a")
    run_sft(replace(job, cadence=Cadence(save_steps=3)), tmp_path / "b")
    assert the_bytes(tmp_path / "a/final_model") == the_bytes(tmp_path / "b/final_model")


def test_a_checkpoint_of_another_shape_is_bad_input(base, tmp_path):
    job = SftJob(settings(base, method="full"), sft_rows(12), replace(PLAN, min_steps=0), cadence=Cadence())
    from safetensors.torch import load_file, save_file

    written: list[Path] = []
    run_sft(job, tmp_path / "a", on_checkpoint=written.append)
    file = written[0] / "model.safetensors"
    save_file({name: t for name, t in load_file(file).items() if "layers.1" not in name}, file, {"format": "pt"})
    write_progress(written[0], Measurements())
    with pytest.raises(BadInput, match="weights are not this model's"):
        run_sft(job, tmp_path / "b", resume=written[0])


def test_the_rounding_of_logits_is_that_of_two_programs_that_round_by_themselves():
    """Against draws: every logit off by up to half a unit in its last place, in each of two programs."""
    import torch

    from haloforge.training.learner import rounding_variance

    torch.manual_seed(0)
    logits = torch.randn(5, 40) * 6
    targets = torch.tensor([3, 0, 39, 7, 7])
    table = logits.log_softmax(-1)
    said = rounding_variance(logits, table, targets, "bfloat16").sqrt()
    # A bfloat16 has 8 significant bits: the next number after 1.0 is 1 + 2^-7.
    assert torch.tensor(1.0, dtype=torch.bfloat16).nextafter(torch.tensor(2.0, dtype=torch.bfloat16)) == 1 + 2**-7
    units = 2.0 ** (logits.abs().log2().floor() - 7)
    signs = torch.randint(0, 2, (2, 4000, 5, 40)) * 2 - 1
    one, other = (((logits + s * units / 2).log_softmax(-1))[:, torch.arange(5), targets] for s in signs)
    assert torch.allclose((one - other).pow(2).mean(0).sqrt(), said, rtol=0.06)
    exact = rounding_variance(logits, table, targets, "float32").sqrt()
    assert (exact < 1e-5).all()
