"""Tiny random checkpoints with a real tokenizer, and random PEFT adapters for them, for tests and benchmarks.

Everything is built from seeds in a second or two; nothing here was trained, so nothing here answers sensibly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ALL_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(folder: Path, vocab_size: int = 384, chat: bool = True) -> Any:
    """A byte-level BPE tokenizer of the Qwen2 family with EOS <|endoftext|>, saved into `folder`.

    chat: with a ChatML template, whose turns end in <|im_end|>; without, rendering uses its plain form.
    """
    from transformers import Qwen2Tokenizer

    rng = random.Random(0)
    words = [
        "int",
        "main",
        "return",
        "for",
        "while",
        "if",
        "printf",
        "scanf",
        "include",
        "sum",
        "max",
        "write",
        "reads",
    ]
    corpus = [" ".join(rng.choices(words, k=12)) + f" {rng.randrange(1000)};\n{{ }} ( ) < > = +" for _ in range(400)]
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        corpus, vocab_size=vocab_size, new_special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    )
    tokenizer.eos_token = tokenizer.pad_token = "<|endoftext|>"
    tokenizer.chat_template = CHATML if chat else None
    tokenizer.save_pretrained(folder)
    return tokenizer


def build_model(
    folder: Path,
    architecture: str = "qwen2",
    *,
    hidden: int = 64,
    layers: int = 2,
    intermediate: int = 128,
    heads: int = 2,
    kv_heads: int = 1,
    vocab_size: int = 384,
    dtype: str = "float32",
    spread: float = 0.08,
    chat: bool = True,
    seed: int = 0,
) -> Path:
    """A random causal language model, `architecture` qwen2 (q/k/v biases) or llama (none), with tokenizer, in `folder`.

    spread: standard deviation of the weights; larger makes the next-token distribution more pointed.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = build_tokenizer(folder, vocab_size, chat)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        architecture,
        hidden_size=hidden,
        num_hidden_layers=layers,
        intermediate_size=intermediate,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=max(vocab_size, len(tokenizer)),
        max_position_embeddings=2048,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zeros would hide a bias that is dropped
            torch.nn.init.normal_(parameter, std=spread)
    model.save_pretrained(folder)
    return folder


def build_adapter(
    model_dir: Path,
    folder: Path,
    *,
    rank: int = 8,
    alpha: float = 16,
    use_rslora: bool = False,
    target_modules: Sequence[str] = ALL_PROJECTIONS,
    spread: float = 0.05,
    seed: int = 1,
) -> Path:
    """A PEFT LoRA folder for the model with A and B both random (PEFT's own start has B = 0), weights float32."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        use_rslora=use_rslora,
        target_modules=list(target_modules),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_dir), config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * spread
    model.save_pretrained(folder)
    return folder


def edit_adapter(source: Path, folder: Path, change: Any) -> Path:
    """A copy of an adapter folder whose tensors are `change({name: tensor})`."""
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True)
    config = json.loads((source / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(change(load_file(source / "adapter_model.safetensors")), folder / "adapter_model.safetensors")
    return folder
