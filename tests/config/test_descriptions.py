"""Each option says in one line what it is, and `--help` shows that line."""

import re

import pytest

from nalu_seq.config.descriptions import describe_options, description
from nalu_seq.config.options import conf_dir, options

HELP = (conf_dir() / "config.yaml").read_text()
GROUPS = re.findall(r"\$\{described:([\w/]+)\}", HELP)


def test_help_shows_every_group_that_can_be_chosen() -> None:
    # What follows from two choices, such as task_units, lies a folder deeper.
    groups = {path.name for path in conf_dir().iterdir() if list(path.glob("*.yaml"))}
    assert {group for group in GROUPS if "/" not in group} == groups


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_says_in_a_sentence_what_it_is(group: str) -> None:
    for option in options(group):
        sentence = description(group, option)
        assert sentence.endswith(".") and 20 <= len(sentence) <= 108, (option, sentence)
    assert [line.split()[0] for line in describe_options(group).splitlines()] == options(group)


def test_the_line_comes_from_the_comment_or_else_from_the_docstring() -> None:
    assert description("experiment", "primer_add").startswith("The Primer's single module task")
    assert description("unit", "nmu").startswith("Products of its inputs, signs included")
    assert description("encoder", "none") == "No encoder: the unit sees the raw steps."


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_says_what_it_is_compared_with_and_what_it_costs(name: str) -> None:
    text = (conf_dir() / "experiment" / f"{name}.yaml").read_text()
    header = [line for line in text.splitlines() if line.startswith("# ")]
    assert header[1] == f"# python -m nalu_seq.train experiment={name}"
    assert re.search(r"# published: .*Cost: .+\.", " ".join(header))
