"""Tokens of conversations and which of them are the assistant's, by the transformers library.

Needs transformers 5 and tokenizers. Writes crates/lm/goldens/training_text.json: two tokenizers made here, the chat templates
of two kinds of model, conversations, and what `apply_chat_template(..., return_assistant_tokens_mask=True)` makes of them.

    python tests/goldens/training_text.py
"""

import json
import pathlib

import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/lm/goldens/training_text.json"

TEXT = [
    "The quick brown fox jumps over the lazy dog. What is 12 times 11? It is 132, because 12 times 10 is 120.",
    "Let me think about the question step by step. First we add the numbers, then we check the answer again.",
    "Wait, that is not right. The answer is on the next line.\n\nSo we go on.\n",
    # Two line breaks are to become one token.
    "So\n\nwe\n\ngo\n\non\n\nand\n\non\n\n",
    "system user assistant think answer Answer: You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
]

# As Qwen2.5's: a system message where there is none, and every message between two marks.
CHAT_ML = (
    "{%- if messages[0]['role'] != 'system' %}"
    "{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.role == 'assistant' %}"
    "{%- generation %}{{- message.content + '<|im_end|>' }}{%- endgeneration %}"
    "{%- else %}{{- message.content + '<|im_end|>' }}{%- endif %}"
    "{{- '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)

# As Llama 2's: no marks around what the user says, and a space before the answer.
INSTRUCT = (
    "{% for message in messages %}"
    "{% if message.role == 'user' %}{{ bos_token + '[INST] ' + message.content.strip() + ' [/INST]' }}"
    "{% else %}{% generation %}{{ ' ' + message.content.strip() + ' ' + eos_token }}{% endgeneration %}{% endif %}"
    "{% endfor %}"
)

# What the tokenizers of Qwen2 split text by.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level():
    """Bytes and merges of them, as Qwen2.5 has it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return saved(tokenizer, CHAT_ML, eos_token="<|im_end|>")


def words():
    """Words with the space before them, and bytes for what is in no word, as SentencePiece has it."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    # Bytes are tokens like others, but for the trainer to leave them alone they had to be special.
    described = json.loads(tokenizer.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["id"] < 3]
    return saved(Tokenizer.from_str(json.dumps(described)), INSTRUCT, bos_token="<s>", eos_token="</s>")


def saved(tokenizer, template, **named):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    fast.chat_template = template
    return fast


def said(*contents, system=None):
    roles = ["user", "assistant"] * len(contents)
    turns = [{"role": role, "content": content} for role, content in zip(roles, contents)]
    return ([{"role": "system", "content": system}] if system else []) + turns


CONVERSATIONS = {
    "one answer": said("What is 12 times 11?", "It is 132."),
    "two answers": said("What is 12 times 10?", "120.", "And 12 times 11?", "132, because 120 + 12 is 132.\n\nSo we go on."),
    "characters of several bytes": said("Où est la gare ? 駅はどこですか 🚉", "Là-bas → 🙂👩‍👩‍👧 naïve cafe\u0301"),
}
SYSTEM = {"a system message": said("Go on.", "The lazy dog.", system="You are a fox.")}

# In the columns of s1K and s1K-1.1, with answers with and without the word that s1's script looks for.
S1K = [
    {
        "question": "What is 12 times 11?",
        "thinking_trajectories": ["\nLet me think.\n12 times 10 is 120, so 132.", "Wait, that is right. \n"],
        "attempt": "It is $\\boxed{132}$.\n",
    },
    {"question": " Which animal? ", "thinking_trajectories": ["The fox."], "attempt": "So.\n\nAnswer: the fox 🦊"},
]


def s1_content(row):
    """The assistant's message as the s1 repository's data/tokenization.py documents it."""
    answer = row["attempt"]
    if "Answer:" not in answer:
        answer = "Answer: " + answer
    trace = "\n".join(row["thinking_trajectories"]).strip()
    return "\n".join(["<|im_start|>think", trace, "<|im_start|>answer", answer.strip()])


def encoded(tokenizer, messages):
    out = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    return {
        "tokens": list(out["input_ids"]),
        "is_target": [bool(mark) for mark in out["assistant_masks"]],
        "text": tokenizer.decode(out["input_ids"], clean_up_tokenization_spaces=False),
    }


def main():
    golden = {"transformers": transformers.__version__, "models": {}}
    for name, tokenizer in {"byte_level": byte_level(), "words": words()}.items():
        conversations = CONVERSATIONS | (SYSTEM if name == "byte_level" else {})
        described = json.loads(tokenizer.backend_tokenizer.to_str())
        golden["models"][name] = {
            "tokenizer": described,
            "settings": {"chat_template": tokenizer.chat_template, "bos_token": tokenizer.bos_token,
                         "eos_token": tokenizer.eos_token},
            "chats": [{"name": case, "messages": messages, **encoded(tokenizer, messages)}
                      for case, messages in conversations.items()],
        }
        if name == "byte_level":
            golden["s1k"] = [
                {"row": row, "chat_ml": tokenizer.apply_chat_template(said(row["question"], s1_content(row)), tokenize=False),
                 **encoded(tokenizer, said(row["question"], s1_content(row)))} for row in S1K]
    text = json.dumps(golden, separators=(",", ":"), ensure_ascii=False)
    OUT.write_text(text.replace('{"name"', '\n{"name"').replace('{"row"', '\n{"row"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
