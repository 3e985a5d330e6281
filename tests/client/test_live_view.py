"""The picture that `watch` draws on a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

import headgate
from controller.domain.records import Search
from headgate.cli.watch_view import LiveView
from tests.client.conftest import Writer


def drawn(view: LiveView) -> list[str]:
    paper = io.StringIO()
    Console(width=160, file=paper).print(view._live.get_renderable())
    return [line.rstrip() for line in paper.getvalue().splitlines()]


def test_leaders_refusals_and_failures_are_drawn(
    submit: Callable[..., headgate.Search], write: Writer
) -> None:
    search = submit()
    write.trials(search.name)
    write.change(Search, search.name, best_score=0.75)
    view = LiveView()
    watched = search.watch()
    view.show(next(watched))
    lines = drawn(view)
    assert lines[0].startswith("s  PENDING")
    assert "4 of 9 trials · 1 rejected · best roc_auc 0.75" in lines[0]
    cells = [line.replace("│", " ").split() for line in lines]
    leaders = [row[:4] for row in cells if row[1:2] == ["linear"]]
    assert leaders == [
        ["2", "linear", "SUCCEEDED", "0.75"],
        ["0", "linear", "SUCCEEDED", "0.5"],
        ["1", "linear", "SUCCEEDED", "0.25"],
        ["5", "linear", "RUNNING", "100.0"],
    ]
    text = "\n".join(lines)
    assert "1 rejected at the gate, the latest:" in text
    assert "trial 3 linear REJECTED: EXCEEDS_TRIAL_LIMIT: needs 182 MiB, more than allowed" in text
    assert "trial 4 linear FAILED: CRASHED: it broke" in text
    search.cancel()
    for message in watched:
        view.show(message)
    assert drawn(view)[0].startswith("s  CANCELLED")
