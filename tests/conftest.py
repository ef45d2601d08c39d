"""What every test has in common."""

import os

import pytest
from hypothesis import settings

# The planner needs no network once it is set up; a test that would use one fails instead.
os.environ["HF_HUB_OFFLINE"] = "1"

# No deadline: on a busy machine the time of one example says nothing.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def embedded_base(tmp_path_factory):
    """The embedded base, converted: most of a minute, once for all tests."""
    from lpm_model.base import convert_embedded

    folder = tmp_path_factory.mktemp("embedded") / "base"
    convert_embedded(folder)
    return folder


@pytest.fixture(scope="session")
def roads():
    """The road graph, loaded once for all tests."""
    from tools.roads import load_roads

    return load_roads()


@pytest.fixture(scope="session")
def router(roads):
    """A router on the whole graph, built once for all tests."""
    from tools.roads import Router

    return Router(roads)
