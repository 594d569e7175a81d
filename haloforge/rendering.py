"""The one place where a prompt and an answer become token ids: SFT, sampling, training and benchmark all use it.

With a chat template the template decides, generation prompt included. Without one the plain form is used:

    [system prompt, blank line]
    ### Task
    <prompt text>
    ### Answer
    <answer><EOS>

In the plain form an answer also ends at the stop string "\\n### Task", so that a base model which goes on
to invent the next task still stops. Not here: what a sampled answer is trained on. That is the sampled
token ids themselves, never a re-encoding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haloforge.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN_TASK = "### Task\n"
PLAIN_ANSWER = "\n### Answer\n"
PLAIN_STOP = "\n### Task"

_PROBE = "haloforge-probe-7c1f"


def load_tokenizer(model_dir: str | Path, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model or adapter folder, padding on the right, with a pad token (EOS where it has none).

    Where pad and EOS are the same id, nobody may mask labels by id: an EOS that belongs to an answer is trained.

    Raises:
        BadInput: the folder has no loadable tokenizer, or the tokenizer has no EOS token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(model_dir), trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as e:
        raise BadInput(f"{model_dir} has no tokenizer that loads: {e}; put the model's tokenizer files there") from e
    if tokenizer.eos_token_id is None:
        raise BadInput(
            f"the tokenizer in {model_dir} has no EOS token, so no answer could end; "
            "set eos_token in its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def render_prompt(tokenizer: PreTrainedTokenizerBase, text: str, system_prompt: str | None = None) -> list[int]:
    """Token ids of a prompt up to where the answer begins."""
    if tokenizer.chat_template:
        return _encode(tokenizer, _chat(tokenizer, text, system_prompt))
    head = f"{system_prompt}\n\n" if system_prompt else ""
    # The prompt opens the sequence, so a family's BOS token belongs here; an EOS that some families add does not.
    ids = list(tokenizer.encode(head + PLAIN_TASK + text + PLAIN_ANSWER, add_special_tokens=True))
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def render_completion(tokenizer: PreTrainedTokenizerBase, completion: str) -> list[int]:
    """Token ids of an answer as SFT trains it: the text, then the token that ends an answer."""
    return [*_encode(tokenizer, completion), end_token_id(tokenizer)]


def end_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends an answer: the chat template's end-of-turn token where it has one, else EOS."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _PROBE}]
        tail = str(tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(_PROBE)[2]
        special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
        special.update(tokenizer.all_special_ids)
        for id in _encode(tokenizer, tail):
            if id in special:
                return id
    return int(tokenizer.eos_token_id)


def stop_token_ids(tokenizer: PreTrainedTokenizerBase, model_dir: str | Path | None = None) -> list[int]:
    """Ids that end an answer, sorted: EOS, the template's end-of-turn token, those of generation_config.json."""
    ids = {int(tokenizer.eos_token_id), end_token_id(tokenizer)}
    file = Path(model_dir) / "generation_config.json" if model_dir is not None else None
    if file is not None and file.is_file():
        try:
            eos = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
        except (ValueError, AttributeError) as e:
            raise BadInput(f"{file} is not a JSON object: {e}; repair or remove it") from e
        ids.update(eos if isinstance(eos, list) else [] if eos is None else [eos])
    return sorted(ids)


def stop_strings(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Texts that end an answer: the plain form's, where the tokenizer has no chat template."""
    return [] if tokenizer.chat_template else [PLAIN_STOP]


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def _chat(tokenizer: PreTrainedTokenizerBase, text: str, system_prompt: str | None) -> str:
    from jinja2 import TemplateError

    user = {"role": "user", "content": text}
    if not system_prompt:
        return str(tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True))
    try:
        messages = [{"role": "system", "content": system_prompt}, user]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError:  # some families (Gemma's first) refuse the system role
        return _chat(tokenizer, f"{system_prompt}\n\n{text}", None)
