"""Headgate's client: a typed SDK and the command line.

    import headgate

    with headgate.connect("127.0.0.1:50051") as client:
        search = client.submit("table.csv", "label", time_seconds=60)
        search.wait()
        print(search.leaderboard())

Imports neither `controller` nor `workers`.
"""

from headgate.client import Client, connect
from headgate.errors import HeadgateError, InputError, ServerError, Unreachable, Violation
from headgate.search import Search
from headgate.spec import SearchOptions

__all__ = [
    "Client",
    "HeadgateError",
    "InputError",
    "Search",
    "SearchOptions",
    "ServerError",
    "Unreachable",
    "Violation",
    "connect",
]
