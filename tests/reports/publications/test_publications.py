"""Each publication's file is found by its source's name, and finds places of its own tables."""

import pkgutil

import pytest

from nalu_seq.reports import publications
from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import sources
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import Write

FILES = [module.name for module in pkgutil.iter_modules(publications.__path__)]


def test_no_file_has_a_name_that_no_source_has() -> None:
    assert FILES and {*FILES} <= {source.lower() for source in sources()}


@pytest.mark.parametrize("source", ["Primer2022", "nkarasovd_reimplementation"])
def test_a_source_without_a_file_is_compared_with_nothing(write: Write, source: str) -> None:
    run = find_runs(write("run", {"default": [1000]}, "count", "nau", {}))[0][0]
    assert source in sources() and matches(source, run, "default", "length_10") == []
