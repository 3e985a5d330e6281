"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine is no failure, so examples have no deadline. In CI they are always the same; by
# hand they differ from run to run and find more.
settings.register_profile("headgate", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("headgate")
