"""Writes two events as TensorBoard (2.21) does, for the test in native/src/freezing/tensorboard.rs.

    python tests/goldens/event_file.py
"""

import pathlib

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

OUT = pathlib.Path(__file__).parent.parent / "data" / "training" / "tensorboard.tfevents"

values = [
    Summary.Value(tag="train/loss", simple_value=2.5),
    Summary.Value(tag="gradient_norm/o_proj", simple_value=0.1),
]
with OUT.open("wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1_700_000_000.25, file_version="brain.Event:2").SerializeToString())
    writer.write(Event(wall_time=1_700_000_001.5, step=300, summary=Summary(value=values)).SerializeToString())
