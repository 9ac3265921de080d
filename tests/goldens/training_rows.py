"""Writes tests/data/training/*.parquet: rows with the columns of simplescaling/s1K, simplescaling/s1K-1.1 and a chat set, by pyarrow
26.0.1. The JSON lines beside them hold the same rows.

Run from the project's root: python tests/goldens/training_rows.py
"""

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path("tests/data/training")
text, texts = pa.string(), pa.list_(pa.string())
message = pa.struct([("role", text), ("content", text)])

SETS = {
    "s1k": (
        pa.schema([
            ("solution", text), ("question", text), ("cot_type", text), ("source_type", text), ("metadata", text), ("cot", pa.int32()),
            ("thinking_trajectories", texts), ("attempt", text),
        ]),
        [
            {"solution": "132", "question": "What is 12 times 11?", "cot_type": "math", "source_type": "made up",
             "metadata": "{}", "cot": None, "thinking_trajectories": ["Let me think.\n12 times 10 is 120."],
             "attempt": "It is $\\boxed{132}$."},
            {"solution": "a fox 🦊", "question": "Which animal?", "cot_type": "science", "source_type": "made up",
             "metadata": "{}", "cot": None, "thinking_trajectories": ["It jumps.", "It is quick."], "attempt": "Answer: a fox"},
        ],
    ),
    "s1k_1_1": (
        pa.schema([
            ("solution", text), ("question", text), ("cot_type", text), ("source_type", text), ("metadata", text),
            ("gemini_thinking_trajectory", text), ("gemini_attempt", text), ("deepseek_thinking_trajectory", text),
            ("deepseek_attempt", text), ("gemini_grade", text), ("gemini_grade_reason", text), ("deepseek_grade", text),
            ("deepseek_grade_reason", text),
        ]),
        [
            {"solution": "132", "question": "What is 12 times 11?", "cot_type": "math", "source_type": "made up",
             "metadata": "{}", "gemini_thinking_trajectory": "120 and 12.", "gemini_attempt": "132",
             "deepseek_thinking_trajectory": "Okay, 12 times 11.\n\n120 plus 12.", "deepseek_attempt": "**132**",
             "gemini_grade": "Yes", "gemini_grade_reason": "r", "deepseek_grade": "Yes", "deepseek_grade_reason": "r"},
        ],
    ),
    "chats": (
        pa.schema([("messages", pa.list_(message)), ("source", text)]),
        [
            {"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"},
                          {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye."},
                          {"role": "assistant", "content": "Bye 👋"}], "source": "made up"},
            {"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}], "source": None},
        ],
    ),
}

OUT.mkdir(parents=True, exist_ok=True)
for name, (schema, rows) in SETS.items():
    pq.write_table(pa.Table.from_pylist(rows, schema), OUT / f"{name}.parquet", compression="snappy")
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (OUT / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
