"""The contract of every store: `controller.ports.store`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.domain.errors import InvalidField
from controller.domain.records import Dataset, Reason, Search, Trial
from controller.domain.states import TrialState
from controller.ports.store import Page, Store, StoredRequest

SEARCH = "namespaces/default/searches/s"
OTHER_SEARCH = "namespaces/default/searches/s2"

MakeDataset = Callable[..., Dataset]
MakeTrial = Callable[..., Trial]


def test_what_is_put_is_got(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        stored = tx.put(make_dataset("a"))
        assert tx.get(Dataset, stored.name) == stored
    with store.transaction() as tx:
        assert tx.get(Dataset, stored.name) == stored
        assert replace(stored, revision=0) == make_dataset("a")


def test_unknown_names_give_none(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.get(Dataset, "namespaces/default/datasets/none") is None
        assert tx.get(Trial, f"{SEARCH}/trials/0") is None
        assert tx.trial_by_candidate(SEARCH, "c") is None
        assert tx.get_request("r", "m") is None
        assert tx.get_log(SEARCH) is None
        assert tx.get_setting("k") is None


def test_kinds_do_not_mix(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        name = tx.put(make_dataset("a")).name
        assert tx.get(Search, name) is None
        assert tx.list_all(Search) == []


def test_every_change_has_a_greater_revision(
    store: Store, make_dataset: MakeDataset, make_trial: MakeTrial
) -> None:
    with store.transaction() as tx:
        first = tx.put(make_dataset("a")).revision
        second = tx.put(make_trial(0)).revision
    with store.transaction() as tx:
        third = tx.put(make_dataset("a", rows=4)).revision
        assert tx.get(Dataset, make_dataset("a").name) == replace(
            make_dataset("a", rows=4), revision=third
        )
    assert 0 < first < second < third


def test_a_raising_block_changes_nothing(store: Store, make_dataset: MakeDataset) -> None:
    told: list[str] = []
    store.on_change(told.append)
    with store.transaction() as tx:
        revision = tx.put(make_dataset("a")).revision

    def fail_after_writing() -> None:
        with store.transaction() as tx:
            tx.put(make_dataset("b"))
            tx.put_setting("k", "v")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_writing()
    with store.transaction() as tx:
        assert tx.get(Dataset, make_dataset("b").name) is None
        assert tx.get_setting("k") is None
        assert tx.put(make_dataset("c")).revision == revision + 1
    assert told == [make_dataset("a").name, make_dataset("c").name]


def test_delete(store: Store, make_dataset: MakeDataset, make_trial: MakeTrial) -> None:
    with store.transaction() as tx:
        dataset, trial = tx.put(make_dataset("a")), tx.put(make_trial(0))
        assert tx.delete(Dataset, dataset.name)
        assert tx.delete(Trial, trial.name)
        assert not tx.delete(Dataset, dataset.name)
        assert not tx.delete(Trial, trial.name)
        assert tx.get(Dataset, dataset.name) is None
        assert tx.get(Trial, trial.name) is None


def test_pages_are_newest_first_and_complete(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        for index in range(5):
            tx.put(make_dataset(f"d{index}"))
        tx.put(make_dataset("foreign", "other"))
        tx.put(make_dataset("d0", rows=9))  # a change does not make it newer
    pages, after = [], ""
    for _ in range(3):
        with store.transaction() as tx:
            records, after = tx.list_page(Dataset, "default", Page(2, after))
        pages.append([record.name.rsplit("/", 1)[1] for record in records])
    assert pages == [["d4", "d3"], ["d2", "d1"], ["d0"]]
    assert after == ""


def test_a_full_last_page_is_the_end(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        tx.put(make_dataset("a"))
        tx.put(make_dataset("b"))
        records, after = tx.list_page(Dataset, "default", Page(2))
        assert (len(records), after) == (2, "")


def test_a_page_goes_on_after_deletions(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        for index in range(4):
            tx.put(make_dataset(f"d{index}"))
        _, after = tx.list_page(Dataset, "default", Page(2))
        tx.delete(Dataset, make_dataset("d2").name)
        tx.put(make_dataset("d9"))
        records, _ = tx.list_page(Dataset, "default", Page(2, after))
    assert [record.name.rsplit("/", 1)[1] for record in records] == ["d1", "d0"]


def test_a_namespace_is_listed_by_its_id(store: Store) -> None:
    with pytest.raises(InvalidField), store.transaction() as tx:
        tx.list_page(Dataset, "namespaces/default", Page(2))


def test_list_all_is_oldest_first_in_all_namespaces(
    store: Store, make_dataset: MakeDataset
) -> None:
    with store.transaction() as tx:
        for record in (make_dataset("b"), make_dataset("a", "other"), make_dataset("b", rows=7)):
            tx.put(record)
        found = [(record.name, record.rows) for record in tx.list_all(Dataset)]
    assert found == [(make_dataset("b").name, 7), (make_dataset("a", "other").name, 3)]


def test_trials_by_number_and_state(store: Store, make_trial: MakeTrial) -> None:
    rejected = {"state": TrialState.REJECTED, "reason": Reason.EXCEEDS_TRIAL_LIMIT}
    with store.transaction() as tx:
        for number in (11, 2, 0):
            tx.put(make_trial(number))
        tx.put(make_trial(1, **rejected))
        tx.put(make_trial(5, OTHER_SEARCH))
        first, after = tx.list_trials(SEARCH, Page(3))
        last, end = tx.list_trials(SEARCH, Page(3, after))
        only, _ = tx.list_trials(SEARCH, Page(9), [TrialState.REJECTED])
        some, _ = tx.list_trials(SEARCH, Page(9), [TrialState.REJECTED, TrialState.RUNNING])
        assert tx.count_trials(SEARCH) == {"ADMITTED": 3, "REJECTED": 1}
        assert tx.count_rejections(SEARCH) == {"EXCEEDS_TRIAL_LIMIT": 1}
        assert tx.count_rejections(OTHER_SEARCH) == {}
    assert [trial.number for trial in first] == [0, 1, 2]
    assert ([trial.number for trial in last], end) == ([11], "")
    assert [trial.number for trial in only] == [trial.number for trial in some] == [1]


def test_a_trial_changes_its_state(store: Store, make_trial: MakeTrial) -> None:
    with store.transaction() as tx:
        tx.put(make_trial(0))
        running = tx.put(make_trial(0, state=TrialState.RUNNING))
        assert tx.get(Trial, running.name) == running
        assert tx.trial_by_candidate(SEARCH, "c0") == running
        assert tx.count_trials(SEARCH) == {"RUNNING": 1}


def test_trials_since_follow_the_order_of_changes(store: Store, make_trial: MakeTrial) -> None:
    with store.transaction() as tx:
        seen = tx.put(make_trial(0)).revision
        tx.put(make_trial(1))
        tx.put(make_trial(2))
        tx.put(make_trial(0, state=TrialState.RUNNING))
        tx.put(make_trial(7, OTHER_SEARCH))
    with store.transaction() as tx:
        assert [trial.number for trial in tx.trials_since(SEARCH, seen, 10)] == [1, 2, 0]
        first = tx.trials_since(SEARCH, seen, 2)
        rest = tx.trials_since(SEARCH, first[-1].revision, 2)
    assert [trial.number for trial in [*first, *rest]] == [1, 2, 0]


def test_deleting_the_trials_of_a_search_spares_others(store: Store, make_trial: MakeTrial) -> None:
    with store.transaction() as tx:
        tx.put(make_trial(0))
        tx.put(make_trial(1))
        tx.put(make_trial(0, OTHER_SEARCH))
        assert tx.delete_trials(SEARCH) == 2
        assert tx.delete_trials(SEARCH) == 0
        assert tx.count_trials(SEARCH) == {}
        assert tx.count_trials(OTHER_SEARCH) == {"ADMITTED": 1}


def test_requests_are_kept_by_method_until_deleted(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_request("r", "m", StoredRequest("f", "name"), 10.0)
        tx.put_request("r", "n", StoredRequest("g", "name2"), 20.0)
    with store.transaction() as tx:
        assert tx.get_request("r", "m") == StoredRequest("f", "name")
        assert tx.delete_requests_before(20.0) == 1
        assert tx.get_request("r", "m") is None
        assert tx.get_request("r", "n") == StoredRequest("g", "name2")


def test_logs_and_settings(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_log(SEARCH, "one")
        tx.put_log(SEARCH, "two\u2028\x00é")
        tx.put_setting("k", "v")
        tx.put_setting("k", "w")
        assert (tx.get_log(SEARCH), tx.get_setting("k")) == ("two\u2028\x00é", "w")
        tx.delete_log(SEARCH)
        tx.delete_setting("k")
        tx.delete_setting("k")
        assert (tx.get_log(SEARCH), tx.get_setting("k")) == (None, None)


def test_listeners_hear_of_each_record_once_after_the_commit(
    store: Store, make_dataset: MakeDataset, make_trial: MakeTrial
) -> None:
    told: list[tuple[str, bool]] = []

    def listen(name: str) -> None:
        with store.transaction() as tx:  # the change is visible, and the store is free
            told.append((name, tx.get(Dataset, make_dataset("a").name) is not None))

    store.on_change(listen)
    with store.transaction() as tx:
        tx.put(make_trial(0))
        tx.put(make_dataset("a"))
        tx.put(make_trial(1))
        assert told == []
    assert told == [(SEARCH, True), (make_dataset("a").name, True)]


def test_listeners_hear_of_deletions(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        name = tx.put(make_dataset("a")).name
    told: list[str] = []
    store.on_change(told.append)
    with store.transaction() as tx:
        tx.delete(Dataset, name)
        tx.delete(Dataset, "namespaces/default/datasets/none")
    assert told == [name]


def test_a_failing_listener_fails_nobody_else(
    store: Store, make_dataset: MakeDataset, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def fail(name: str) -> None:
        raise ZeroDivisionError(name)

    store.on_change(fail)
    store.on_change(told.append)
    with store.transaction() as tx:
        tx.put(make_dataset("a"))
    assert told == [make_dataset("a").name]
    assert "ZeroDivisionError" in caplog.text


def test_a_transaction_within_another_is_refused(store: Store, make_dataset: MakeDataset) -> None:
    with store.transaction() as tx:
        with pytest.raises(RuntimeError, match="already"), store.transaction():
            pass
        tx.put(make_dataset("a"))
    with store.transaction() as tx:
        assert len(tx.list_all(Dataset)) == 1


def test_writers_are_serialised(store: Store, make_dataset: MakeDataset) -> None:
    name = make_dataset("a").name
    with store.transaction() as tx:
        tx.put(make_dataset("a", rows=0))

    def count_up() -> None:
        for _ in range(20):
            with store.transaction() as tx:
                found = tx.get(Dataset, name)
                assert found is not None
                tx.put(replace(found, rows=found.rows + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.transaction() as tx:
        found = tx.get(Dataset, name)
        assert found is not None
        assert found.rows == 80


def test_not_a_number_survives(store: Store, make_trial: MakeTrial) -> None:
    with store.transaction() as tx:
        tx.put(replace(make_trial(0), score=float("inf"), metrics={"a": float("nan")}))
        found = tx.get(Trial, f"{SEARCH}/trials/0")
    assert found is not None
    assert found.score == float("inf")
    assert found.metrics["a"] != found.metrics["a"]
