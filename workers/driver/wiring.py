"""Puts the candidate thread's parts together: space, study, portfolio, replayed log."""

from __future__ import annotations

from workers.driver.assignment import Assignment
from workers.driver.board import Board
from workers.driver.candidates import Candidates
from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient
from workers.driver.leaderboard import Leaderboard
from workers.driver.portfolio import first_proposals
from workers.driver.space import read_space
from workers.driver.study import Study
from workers.families.base import DataShape
from workers.families.registry import FAMILIES


def make_candidates(
    assignment: Assignment,
    shape: DataShape,
    board: Board,
    leaderboard: Leaderboard,
    client: ControllerClient,
    control: Control,
) -> Candidates:
    """Ready to run; unfinished trials of the log are on the board. Asks the controller for it."""
    declared = {name: family.parameters for name, family in FAMILIES.items()}
    space = read_space(assignment.opened.space, declared)
    seed = assignment.search.spec.seed
    study = Study(space, seed, assignment.search.is_metric_maximized)
    candidates = Candidates(study, space, board, leaderboard, client, control, seed)
    candidates.prefer(first_proposals(space, FAMILIES, shape, assignment.cpus))
    candidates.replay(client.replay())
    return candidates
