"""Prompts and answers as token ids: one rendering for training and sampling."""

from __future__ import annotations

import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from haloforge.errors import BadInput
from haloforge.rendering import (
    end_token_id,
    load_tokenizer,
    render_completion,
    render_prompt,
    stop_strings,
    stop_token_ids,
)
from tests.tiny_models import build_tokenizer

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    build_tokenizer(folder)
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    build_tokenizer(folder, chat=False)
    return load_tokenizer(folder)


def test_a_chat_prompt_is_the_template_up_to_the_answer(chat):
    assert chat.decode(render_prompt(chat, "write main")) == (
        "<|im_start|>user\nwrite main<|im_end|>\n<|im_start|>assistant\n"
    )
    assert chat.decode(render_prompt(chat, "write main", "reads C")) == (
        "<|im_start|>system\nreads C<|im_end|>\n<|im_start|>user\nwrite main<|im_end|>\n<|im_start|>assistant\n"
    )


def test_prompt_and_answer_together_are_the_templates_own_conversation(chat):
    conversation = [{"role": "user", "content": "sum 1 2"}, {"role": "assistant", "content": "int main"}]
    whole = chat.apply_chat_template(conversation, tokenize=False).removesuffix("\n")
    assert chat.decode(render_prompt(chat, "sum 1 2") + render_completion(chat, "int main")) == whole


def test_the_plain_form_is_as_documented(plain):
    assert plain.decode(render_prompt(plain, "write main")) == "### Task\nwrite main\n### Answer\n"
    assert plain.decode(render_prompt(plain, "write main", "reads C")) == (
        "reads C\n\n### Task\nwrite main\n### Answer\n"
    )
    assert plain.decode(render_completion(plain, "int main")) == "int main<|endoftext|>"
    # A base model that goes on to the next task of the same form meets the stop string.
    (stop,) = stop_strings(plain)
    assert stop in "int main\n" + plain.decode(render_prompt(plain, "the next"))


def test_an_answer_ends_in_the_templates_end_of_turn_or_in_eos(chat, plain):
    assert end_token_id(chat) == chat.convert_tokens_to_ids("<|im_end|>") != chat.eos_token_id
    assert end_token_id(plain) == plain.eos_token_id
    assert render_completion(chat, "x")[-1] == end_token_id(chat)
    assert stop_strings(chat) == []


def test_sampling_stops_at_every_known_end(chat, plain, tmp_path):
    im_end, im_start = chat.convert_tokens_to_ids(["<|im_end|>", "<|im_start|>"])
    assert stop_token_ids(chat) == sorted({chat.eos_token_id, im_end})
    for value, extra in ((im_start, {im_start}), ([im_start, im_end], {im_start, im_end}), (None, set())):
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": value}))
        assert set(stop_token_ids(plain, tmp_path)) == {plain.eos_token_id} | extra
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(BadInput, match="generation_config"):
        stop_token_ids(plain, tmp_path)


def test_a_template_without_system_role_takes_the_system_prompt_into_the_users_turn(tmp_path):
    tokenizer = build_tokenizer(tmp_path)
    tokenizer.chat_template = GEMMA
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.decode(render_prompt(loaded, "write main", "reads C")).endswith(
        "<|im_start|>user\nreads C\n\nwrite main<|im_end|>\n<|im_start|>model\n"
    )


def test_a_tokenizer_without_pad_gets_eos_as_pad_on_the_right(tmp_path):
    tokenizer = build_tokenizer(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config["pad_token"] = None
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = load_tokenizer(tmp_path)
    assert (loaded.pad_token_id, loaded.padding_side) == (tokenizer.eos_token_id, "right")


def test_a_folder_without_tokenizer_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="has no tokenizer that loads"):
        load_tokenizer(tmp_path)
