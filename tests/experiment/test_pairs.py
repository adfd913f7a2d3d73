"""Options combine: any two of them, or one line says why not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir, options, shipped_config
from nalu_seq.errors import BadInput
from nalu_seq.experiment import feasibility
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check
from tests.distribution.replicas import compose

GROUPS = ("optimizer", "encoder", "head", "unit")
# What each protocol was written for.
PROTOCOLS = {
    "dmu": ["task=single_module", "unit=dmu_add"],
    "heim": ["task=npu_large", "optimizer=keras", "unit=npu"],
    "inalu": ["task=inalu_simple", "unit=inalu"],
    "madsen": ["task=arithmetic", "unit=nmu"],
    "madsen_mnist": ["task=mnist_sum", "unit=nau", "data=digits", "task.lengths=[1,2,5]"],
    "primer": ["task=single_module", "unit=nmu"],
    "primer_div": ["task=single_module", "task.operation=div", "unit=real_npu"],
}
# Why a pair can't be: what a task lacks that an option needs, and the options to take.
REASONS = (
    r"[a-z_]+( and [a-z_]+)? needs? steps in time, which this task does not "
    r"have: use encoder=none and "
    r"head=readout or head=dense",
    r"[a-z_]+ gives no features of a [0-9x ]+ picture: use encoder=convnet",
    r"head=solved adds up the encoder's outputs themselves, so that there must be [0-9]+ of them, "
    r"not [0-9]+: encoder.outputs=[0-9]+ encoder.activation=linear",
    r"encoder=none and head=solved have no weights: there is nothing to train",
    r"Convnet needs pictures, and a step has [0-9]+ numbers: use another encoder",
    r"encoder=routed hands numbers on, and this task has none: use encoder=lstm",
    r"protocol=madsen with unit=nmu is a setting for encoder=hidden or encoder=hidden_cell or "
    r"encoder=hidden_sum, not "
    r"for encoder=[a-z_]+",
    r"protocol=inalu updates gates and weights in turn, which optimizer=keras can't do; "
    r"optimizer=adam and optimizer=rmsprop can",
    r"protocol=[a-z_]+( with unit=[a-z_]+)? sets a penalty on arithmetic units, and head=[a-z]+ "
    r"has none",
)


def experiment(*overrides: str) -> Experiment:
    return Experiment(*compose(*overrides))


def pairs() -> Iterator[object]:
    """Every task with every option of a group; a few of them in the quick tests."""
    quick = {("count", "optimizer"), ("running_sum", "encoder"), ("product", "head")}
    for task in options("task"):
        for group in GROUPS:
            marks = [] if (task, group) in quick else [pytest.mark.slow]
            yield pytest.param(task, group, marks=marks)


@pytest.mark.parametrize(("task", "group"), pairs())
def test_any_pair_can_be_trained_or_says_why_not(
    task: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feasibility, "available", lambda: None)
    data = ["data=digits"] if task.startswith("mnist") else []
    if data and task != "mnist_parity":  # the shipped pictures are too few for sequences of 1,000
        data.append("task.lengths=[1,2,5]")
    if task == "program":  # a model unrolled for a short program is built sooner
        data = ["task.variables=1", "task.statements=1", "task.digits=1"]
    possible = trainable(group, f"task={task}", *data)
    assert possible if group == "encoder" else len(possible) >= 2
    if group in ("optimizer", "unit"):  # these suit every task
        assert possible == options(group)


def trainable(group: str, *overrides: str) -> list[str]:
    """The options of a group that can be trained; for each other one a line says why not."""
    possible = []
    for option in options(group):
        try:
            check(experiment(*overrides, f"{group}={option}"))
            possible.append(option)
        except BadInput as error:
            assert any(re.fullmatch(reason, str(error)) for reason in REASONS), error
    return possible


def with_protocols() -> Iterator[object]:
    """Every protocol with every option of a group but the unit, which has a file in each."""
    for protocol in options("protocol"):
        for group in ("optimizer", "encoder", "head"):
            marks = [] if (protocol, group) == ("madsen", "encoder") else [pytest.mark.slow]
            yield pytest.param(protocol, group, marks=marks)


@pytest.mark.parametrize(("protocol", "group"), with_protocols())
def test_any_option_can_be_trained_by_a_protocol_or_says_why_not(
    protocol: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feasibility, "available", lambda: None)
    possible = trainable(group, f"protocol={protocol}", *PROTOCOLS[protocol])
    assert possible
    if group == "encoder" and protocol == "madsen":
        assert possible == ["hidden"]  # in a task without steps


def test_a_task_sets_nothing_that_one_option_alone_has() -> None:
    for path in sorted((conf_dir() / "task").glob("*.yaml")):
        assert not {*GROUPS} & {*OmegaConf.load(path)}, path


@pytest.mark.parametrize(
    ("chooses", "group"),
    [
        ("task", "encoder"),
        ("task", "unit"),
        ("task", "optimizer"),
        ("protocol", "encoder"),
        ("protocol", "optimizer"),
    ],
)
def test_what_is_set_for_one_option_the_option_has(chooses: str, group: str) -> None:
    paths: list[Path] = sorted((conf_dir() / f"{chooses}_{group}s").glob("*/*.yaml"))
    assert paths
    for path in paths:
        assert path.parent.name in options(chooses) and path.stem in options(group), path
        content = OmegaConf.load(path)
        assert path.read_text().startswith("# @package _global_\n") and list(content) == [group]
        assert {*content[group]} <= {*shipped_config(group, path.stem)}, path


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["task=arithmetic", "protocol=madsen", "encoder=none"],
            "protocol=madsen with unit=nmu is a setting for encoder=hidden or encoder=hidden_cell "
            "or encoder=hidden_sum, "
            "not for encoder=none",
        ),
        (
            ["experiment=trask_mnist_sum", "data=digits", "encoder=lstm"],
            "experiment=trask_mnist_sum is a setting for encoder=convnet, not for encoder=lstm",
        ),
        (
            ["task=inalu_simple", "protocol=inalu", "unit=inalu", "optimizer=keras"],
            "protocol=inalu updates gates and weights in turn, which optimizer=keras can't do; "
            "optimizer=adam and optimizer=rmsprop can",
        ),
        (
            ["task=product", "alternate.period=10", "optimizer=keras"],
            "alternate.period updates gates and weights in turn, which optimizer=keras can't do",
        ),
        (["task=count", "optimizer=rmsprop", "+optimizer.beta_2=0.9"], "optimizer.beta_2: no such"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_choice_that_sets_what_an_option_lacks_is_named_as_it_is_typed(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(message)}"):
        check(experiment(*overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.name=Sgd"], "optimizer.name: Sgd is no optimizer of Keras; valid: Adadelta"),
        (["optimizer.name=Muon"], "optimizer.name: Muon is not elementwise, so that members would"),
        (["optimizer.name=Lamb"], "optimizer.name: Lamb is not elementwise"),
        (["optimizer.name=[1]"], "optimizer.name: [1] is no optimizer of Keras"),
        (["+optimizer.rho=0.9"], "optimizer.rho: SGD has no such argument; valid: momentum, "),
        (["+optimizer.momentum=x"], "optimizer.momentum must be a finite number, not 'x'"),
        (["+optimizer.nesterov=3"], "optimizer.nesterov must be true or false, not 3"),
        (["+optimizer.momentum=2"], "optimizer: SGD: "),
        (
            ["+optimizer.clipnorm=1"],
            "optimizer.clipnorm can't be set: train.clip_norm clips each member",
        ),
        (["optimizer.learning_rate=0"], "optimizer.learning_rate must be a number above 0"),
        (["optimizer.schedule=step"], "optimizer.schedule must be constant or cosine"),
        (["+optimizer.steps=3"], "optimizer.steps: no such key"),
        (
            ["+cases={optimizer.learning_rate:[0.1,0.2]}"],
            "cases: optimizer.learning_rate can differ between members of optimizer=adam only",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_keras_own_optimizers_are_checked(overrides: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(message)}") as error:
        check(experiment("task=product", "optimizer=keras", *overrides))
    assert "\n" not in str(error.value)


def test_keras_own_optimizers_are_named_by_their_class() -> None:
    keras_own = experiment("task=product", "optimizer=keras", "+optimizer.momentum=0.9").optimizer()
    assert (type(keras_own).__name__, keras_own.momentum, keras_own.nesterov) == ("SGD", 0.9, False)
    lion = ["optimizer.name=Lion", "optimizer.schedule=cosine", "+optimizer.weight_decay=0.01"]
    keras_own = experiment("task=product", "optimizer=keras", *lion).optimizer()
    assert (type(keras_own).__name__, keras_own.weight_decay) == ("Lion", 0.01)
