"""A search's log is fetched when it is asked for, and survives the job and Ray."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.adapters.fake_cluster import FakeCluster
from controller.domain.errors import NotFound
from controller.domain.names import SearchName
from controller.domain.records import Search
from controller.ports.store import Store
from controller.service.driver_logs import DriverLogs
from controller.service.settings import ServiceSettings


async def test_the_log_is_live_then_kept(
    store: Store, cluster: FakeCluster, create: object, settings: ServiceSettings
) -> None:
    name: SearchName = create()  # type: ignore[operator]
    logs = DriverLogs(store, cluster, settings)
    assert await logs.text(name) == ""
    await cluster.submit("job-1", "driver", {}, 0)
    with store.transaction() as tx:
        search = tx.get(Search, str(name))
        assert search is not None
        tx.put(replace(search, driver_job="job-1", driver_attempts=1))
    cluster.write_log("job-1", "first\n")
    assert await logs.text(name) == "--- driver 1 ---\nfirst\n"
    cluster.write_log("job-1", "first\nsecond\n")
    assert (await logs.text(name)).endswith("first\nsecond\n")
    cluster.is_away = True
    assert (await logs.text(name)).endswith("first\nsecond\n")


async def test_a_search_that_is_not_there(
    store: Store, cluster: FakeCluster, settings: ServiceSettings
) -> None:
    with pytest.raises(NotFound):
        await DriverLogs(store, cluster, settings).text(SearchName("default", "none"))
