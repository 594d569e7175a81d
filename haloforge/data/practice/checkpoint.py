"""The tokenizer and the randomly initialised checkpoint that the demo's base starts from.

The tokenizer is trained as a Qwen2 one: AutoTokenizer rebuilds that family's pre-tokenizer from vocabulary
and merges, so any other would encode differently in the engine than in training. Not here: training.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from haloforge.data.practice.corpus import Row

END = "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}" + END + "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Three tokens around a prompt, so that a small model spends its time on the task."""
VOCABULARY = 1000
"""At most so many tokens; the corpus gives fewer."""
SHAPE: dict[str, Any] = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "initializer_range": 0.06,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}


def write_tokenizer(rows: Iterable[Row], folder: Path) -> None:
    """Train the byte-pair tokenizer on prompts and completions; digits stay single tokens."""
    from transformers import Qwen2Tokenizer

    texts = [text for row in rows for text in (row["prompt"], row["completion"])]
    tokenizer: Any = Qwen2Tokenizer().train_new_from_iterator(
        texts,
        vocab_size=VOCABULARY,
        new_special_tokens=[END, "<|system|>", "<|user|>", "<|assistant|>"],
        show_progress=False,
    )
    tokenizer.eos_token = END
    tokenizer.pad_token = "<|endoftext|>"
    tokenizer.model_max_length = SHAPE["max_position_embeddings"]
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(str(folder))


def write_random(folder: Path, seed: int) -> None:
    """Write a randomly initialised Qwen2 model, float32, beside the tokenizer in `folder`."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        **SHAPE,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(str(folder))
