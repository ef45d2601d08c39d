"""What every test has in common."""

import os

from hypothesis import settings

# The planner needs no network once it is set up; a test that would use one fails instead.
os.environ["HF_HUB_OFFLINE"] = "1"

# No deadline: on a busy machine the time of one example says nothing.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
