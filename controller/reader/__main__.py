"""The reader child: one JSON job on standard input, one JSON answer in a file.

It never writes to standard output; a crash leaves a traceback on standard error and no answer.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow as pa

from controller.domain.codec import from_json, to_json
from controller.reader.confine import die_with_parent, limit_memory
from controller.reader.job import ReadJob
from controller.reader.read import read_table
from controller.reader.request import ReadAnswer, ReadRefusal, ReadRequest, TableError


def main() -> None:
    """Reads one table and ends the process.

    At once: a thread of Arrow's that is still about to call Python, as after a ragged row, would
    abort a process that is being finalised.
    """
    job = from_json(ReadJob, json.load(sys.stdin))
    die_with_parent(job.parent_pid)
    limit_memory(job.memory_bytes)
    text = json.dumps(to_json(_answer(job.request)), allow_nan=False)
    Path(job.answer_path).write_text(text)
    os._exit(0)


def _answer(request: ReadRequest) -> ReadAnswer:
    try:
        return ReadAnswer(result=read_table(request))
    except TableError as error:
        refusal = ReadRefusal(error.reason.value, error.description, error.remedy)
    except (MemoryError, pa.ArrowMemoryError):
        refusal = ReadRefusal("", "", "", is_out_of_memory=True)
    return ReadAnswer(refusal=refusal)


if __name__ == "__main__":
    main()
