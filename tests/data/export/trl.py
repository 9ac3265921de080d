# Written by stethoscope: accelerate launch THIS_FILE (needs trl and flash-attn)

SELECTION = "o_proj + norm + embed + head"
# A parameter is trained if one of these matches its whole name.
TRAINED = [
    "^model[.]embed_tokens[.]weight$",
    "^model[.]layers[.][0-9]+[.]input_layernorm[.]weight$",
    "^model[.]layers[.][0-9]+[.]post_attention_layernorm[.]weight$",
    "^model[.]layers[.][0-9]+[.]self_attn[.]o_proj[.]weight$",
    "^model[.]norm[.]weight$",
]
TRAINED_PARAMETERS = 2232
NOTES = [
    "the checkpoint stores no head of its own: `head` is the embedding, tied, and whatever is done to one is done to both",
    "head and embedding are tied: one parameter, under the embedding's name, and both are trained",
]

BASE, REVISION = "Qwen/Qwen2.5-7B", "main"
OUT = "trained \"here\""
DATA, FORMAT = "data/s1K.jsonl", "json"
HELD_OUT, HELD_OUT_FORMAT = "data/held-out.parquet", "parquet"
KIND, COLUMNS = "chat", ["messages"]

BLOCK = 32768  # tokens
BLOCKS_PER_STEP = 16  # over all devices
STEPS, EPOCHS = -1, 5.0  # steps count, unless they are -1
RATE, SCHEDULE, WARMUP_STEPS = 1.0e-5, "cosine", 16
WEIGHT_DECAY, BETA_1, BETA_2, EPSILON = 0.0001, 0.9, 0.95, 1.0e-8
CLIP = 1.0  # 0 leaves gradients as they are
SEED = 7

import os
import re
import sys

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer


def freeze_all_but_trained(model):
    """Freezes every parameter that no expression matches; ends here if these are not the parameters that were selected."""
    expressions = [re.compile(expression) for expression in TRAINED]
    unused, elements = set(TRAINED), 0
    for name, parameter in model.named_parameters():
        matching = [expression.pattern for expression in expressions if expression.fullmatch(name)]
        parameter.requires_grad = bool(matching)
        if matching:
            unused.difference_update(matching)
            elements += parameter.numel()
            # Updates are often too small for BF16: what is trained is kept in F32.
            parameter.data = parameter.data.float()
    if unused or elements != TRAINED_PARAMETERS:
        sys.exit(
            f"the selection has {TRAINED_PARAMETERS:,} parameters, and {elements:,} were found here; no parameter is called "
            f"{sorted(unused)}: does this version of transformers name or stack them otherwise?"
        )


def conversation(row):
    """A row as TRL takes it."""
    if KIND == "chat":
        return {"messages": row[COLUMNS[0]]}
    prompt, answer = row[COLUMNS[0]], row[COLUMNS[1]]
    if KIND == "turns":
        prompt, answer = [{"role": "user", "content": prompt}], [{"role": "assistant", "content": answer}]
    return {"prompt": prompt, "completion": answer}


def examples(path, file_format, tokenizer):
    """The rows of a file that fit a block; says how many do not."""
    rows = load_dataset(file_format, data_files=path, split="train")
    rows = rows.map(conversation, remove_columns=[name for name in rows.column_names if name != "messages"])

    def fits(row):
        if KIND == "text":
            text = row["prompt"] + row["completion"] + (tokenizer.eos_token or "")
        else:
            messages = row["messages"] if KIND == "chat" else row["prompt"] + row["completion"]
            text = tokenizer.apply_chat_template(messages, tokenize=False)
        return len(tokenizer(text, add_special_tokens=KIND == "text")["input_ids"]) <= BLOCK

    fitting = rows.filter(fits)
    if len(fitting) < len(rows):
        print(f"{path}: {len(rows) - len(fitting)} of {len(rows)} examples are longer than {BLOCK} tokens and left out")
    return fitting


def main():
    for note in NOTES:
        print(f"note: {note}")
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    if BLOCKS_PER_STEP % devices:
        sys.exit(f"{BLOCKS_PER_STEP} blocks in a step cannot be shared evenly by {devices} devices")
    tokenizer = AutoTokenizer.from_pretrained(BASE, revision=REVISION)
    # Without flash attention, examples that are packed into one block would see each other.
    model = AutoModelForCausalLM.from_pretrained(
        BASE, revision=REVISION, dtype=torch.bfloat16, attn_implementation="flash_attention_2"
    )
    freeze_all_but_trained(model)
    settings = SFTConfig(
        output_dir=OUT,
        max_length=BLOCK,
        packing=True,
        # Only the assistant's tokens, or the answer's, have a loss.
        assistant_only_loss=KIND == "chat",
        completion_only_loss=None if KIND == "chat" else True,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=BLOCKS_PER_STEP // devices,
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        max_steps=STEPS,
        num_train_epochs=EPOCHS,
        learning_rate=RATE,
        lr_scheduler_type=SCHEDULE,
        warmup_steps=WARMUP_STEPS,
        optim="adamw_torch",
        weight_decay=WEIGHT_DECAY,
        adam_beta1=BETA_1,
        adam_beta2=BETA_2,
        adam_epsilon=EPSILON,
        max_grad_norm=CLIP,
        seed=SEED,
        bf16=True,
        eval_strategy="epoch" if HELD_OUT else "no",
        logging_steps=1,
    )
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=examples(DATA, FORMAT, tokenizer),
        eval_dataset=examples(HELD_OUT, HELD_OUT_FORMAT, tokenizer) if HELD_OUT else None,
        processing_class=tokenizer,
    )
    trainer.train()
    model.to(torch.bfloat16)
    trainer.save_model(OUT)


if __name__ == "__main__":
    main()
