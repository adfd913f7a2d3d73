"""Which published figures a run corresponds to: a function for each table or figure of a paper."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from nalu_seq.reports.published import ALL, Match, facts, point
from nalu_seq.reports.summaries import Run, case_settings, task_case

# (encoder.unit, unit) -> the name of the model in Madsen & Johansen 2020
MADSEN_MODELS = {
    ("nau", "nmu"): "NMU",
    ("nau", "nau"): "NAU",
    ("nac", "nac"): "NAC+",
    ("nac", "nac_mul"): "NAC*",
    ("nac", "nac_mul_sigmoid"): "NAC*,sigma",
    ("nau", "nac_mul_nmu"): "NAC*,NMU",
    ("nalu", "nalu"): "NALU",
    ("linear", "linear"): "Linear",
    ("relu", "linear"): "ReLU",
    ("relu6", "linear"): "ReLU6",
    ("gated_nau_nmu", "gated_nau_nmu"): "Gated NAU/NMU",
}
MADSEN_LONG = "Table long (App. C) = function_task_static_all"
MADSEN_WEIGHTS = {"NMU": 10.0, "NAC*,NMU": 10.0, "NAU": 0.01, "Gated NAU/NMU": 10.0}
# the range of the inputs in training -> their ranges in the test
MADSEN_RANGES = {
    "U[-2,-1]": [[-6, -2]],
    "U[-2,2]": [[-6, -2], [2, 6]],
    "U[0,1]": [[1, 5]],
    "U[0.1,0.2]": [[0.2, 2]],
    "U[1,2]": [[2, 6]],
    "U[1.1,1.2]": [[1.2, 6]],
    "U[10,20]": [[20, 40]],
}
# our config key -> (the figure that varies it, its name there, its value in all other figures)
MADSEN_FIGURES: dict[str, tuple[str, str, Any]] = {
    "task.inputs": ("Fig. input size", "input_size", 100.0),
    "task.overlap": ("Fig. overlap", "overlap_ratio", 0.5),
    "task.subset": ("Fig. subset", "subset_ratio", 0.25),
    "encoder.units": ("Fig. hidden size", "hidden_size", 2.0),
    "penalty.sparsity.weight": ("Fig. lambda ({op})", "lambda_hat", None),
    "task.ranges": ("Fig. range", "range", "U[1,2]"),
}
MADSEN_MNIST = {
    "mnist_product": {
        "nmu": "NMU",
        "nac_mul": "NAC*",
        "nac_mul_sigmoid": "NAC*,sigma",
        "nac_mul_nmu": "NAC*,NMU",
        "nalu": "NALU",
    },
    "mnist_sum": {"nau": "NAU", "nac": "NAC+", "nalu": "NALU"},
}
# task -> (the operation, the figure with R_z, the figure without, the steps of 1,000 epochs)
MADSEN_MNIST_FIGURES = {
    "mnist_product": (
        "cumprod",
        "Fig. sequential MNIST product (with R_z)",
        "Fig. seq. MNIST product, no R_z",
        387_000,
    ),
    "mnist_sum": (
        "cumsum",
        "Fig. seq. MNIST sum (NAU with R_z)",
        "Fig. seq. MNIST sum, NAU without R_z",
        86_000,
    ),
}
CELLS = ("unit_cell", "product_cell")
INALU_MODELS = {
    "nalu": ("nalu__paperm", "nalu__paperv"),
    "inalu_shared": ("nalui1",),
    "inalu": ("nalui2",),
}
INALU_STEPS = 100_000  # 100 epochs of 1,000 batches
TRASK_MODELS = {("relu6", "linear"): "Relu6", ("linear", "linear"): "None"} | {
    (name, name): name.upper() for name in ("nac", "nalu")
}
TRASK_OPERATIONS = {
    "add": "a+b",
    "sub": "a-b",
    "mul": "a*b",
    "div": "a/b",
    "square": "a^2",
    "root": "sqrt(a)",
}
# encoder.activation -> its name in the legend of figure 1, in the order of the legend
TRASK_ACTIVATIONS = {
    "hard_tanh": "Hardtanh",
    "sigmoid": "Sigmoid",
    "relu6": "ReLU6",
    "tanh": "Tanh",
    "tanh_shrink": "Tanhshrink",
    "hard_shrink": "Hardshrink",
    "leaky_relu": "LeakyReLU",
    "soft_shrink": "Softshrink",
    "softsign": "Softsign",
    "threshold": "Threshold",
    "relu": "ReLU",
    "prelu": "PReLU",
    "softplus": "Softplus",
    "elu": "ELU",
    "selu": "SELU",
}
# (encoder, head) -> the name of a baseline that has no unit; one that reads pictures is a head
TRASK_RECURRENT = {("lstm", "dense"): "LSTM", ("rnn", "dense"): "ReLU"}
TRASK_HEADS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
TRASK_PICTURES = {"mnist_count": "counting", "mnist_sum": "addition"}
TRASK_WORDS = {"linear": "LSTM", "nac": "LSTM+NAC", "nalu": "LSTM+NALU"}
# our split -> the point of figure 1 at which the published value was read off
TRASK_ENDS = {"at_-20": "x=-19.8", "at_20": "x=+19.8"}
HEIM_HIDDEN = {"npu": "NPU", "real_npu": "RealNPU", "nmu_heim": "NMU"}
HEIM_UNITS = {"npu": "NPU", "real_npu": "RealNPU", "nmu": "NMU", "nalu": "NALU"}
HEIM_DENSE = {"encoder.units": 10, "encoder.layers": 2, "encoder.activation": "sigmoid"}
HEIM_NMU_STEPS = {"add": 10_000, "mul": 20_000}
MDLRNN_LANGUAGES = {
    "[1,1]": "a^n b^n",
    "[1,1,1]": "a^n b^n c^n",
    "[1,1,1,1]": "a^n b^n c^n d^n",
    "[1,2]": "a^n b^2n",
}
MDLRNN_MODELS = {"rnn": "Elman", "gru": "GRU", "lstm": "LSTM"}
TRASK_FIGURE = {"encoder.units": 8, "encoder.layers": 3, "task.range": [-5, 5]}
# unit -> its name in the notes on MCFC with the Primer's task (2023), by figure
MISTRY_MODELS = {
    "nau": ("Fig. 1", "NAU"),
    "mcfc": ("Fig. 1", "MCFC"),
    "nmu": ("Fig. 2", "NMU"),
    "mul_mcfc": ("Fig. 2", "MulMCFC"),
    "mul_mcfc_inalu": ("Fig. 2", "MulMCFC (sign: iNALU)"),
    "mul_mcfc_real_npu": ("Fig. 2", "MulMCFC (sign: Real NPU)"),
}
MISTRY_OPERATIONS = {"Fig. 1": "add", "Fig. 2": "mul"}
PRIMER_STEPS = 50_000
# (unit, operation) that the domain mixed unit was published with: its frozen selector suits it.
DMU_MODELS = {
    ("dmu_add", "add"): "DMU_add",
    ("dmu_add", "mul"): "DMU_add",
    ("dmu_sub", "sub"): "DMU_sub",
    ("dmu_sub", "div"): "DMU_sub",
}
DMU_STEPS = 2_000


def matches(source: str, run: Run, case: str, split: str) -> list[Match]:
    """The places in a publication that a split of a run corresponds to.

    Args:
        source: the name of the publication, such as `Madsen2020`.
        run: the run that is compared.
        case: the name of one of its cases, or `ALL` for its cases together.
        split: the name of one of its splits.

    Returns:
        The tables or figures with the model and the operation; empty if the publication has none.
    """
    finders = {
        "Madsen2020": (_madsen, _madsen_mnist),
        "iNALU2020": (_inalu, _inalu_grid),
        "Trask2018": (_trask, _trask_recurrent, _trask_pictures, _trask_words, _trask_figure),
        "Mistry2023": (_mistry,),
        "DMU2025": (_dmu,),
        "Heim2020": (_heim_simple, _heim_large),
        "MDLRNN2022": (_mdlrnn,),
    }
    return [match for find in finders.get(source, ()) for match in find(run, case, split)]


def _madsen(run: Run, case: str, split: str) -> Iterator[Match]:
    """Arithmetic of Madsen & Johansen: the benchmark, or the ablation with the run's settings."""
    model = MADSEN_MODELS.get(_units(run))
    nested, exact = (run.value(key) for key in ("task.nested", "task.threshold"))
    of_theirs = run.summary["task"] == "arithmetic" and split == "extrapolation"
    # The tables do not have nested inputs or the corrected threshold, so such runs have no match.
    if not of_theirs or model is None or nested is True or exact == "exact" or case == ALL:
        return
    if _test_ranges(run, case) != MADSEN_RANGES.get(task_case(case)):
        return
    op = {"square": "squared"}.get(
        str(run.value("task.operation")), str(run.value("task.operation"))
    )
    values = {key: _madsen_value(run, case, key) for key in MADSEN_FIGURES}
    usual = {key: default for key, (_, _, default) in MADSEN_FIGURES.items()}
    usual["penalty.sparsity.weight"] = MADSEN_WEIGHTS.get(model, 0.0)
    keys = [key for key in MADSEN_FIGURES if values[key] != usual[key]]
    # A run that varies a key is matched with that ablation even at the key's usual value.
    keys = keys or [key for key in MADSEN_FIGURES if _varies(run, case, key)]
    if not keys:
        published_name = "Gated NAU/NMU (2 layers)" if model.startswith("Gated") else model
        place = "arithmetic datasets, 100 seeds"
        yield Match(MADSEN_LONG, place, op, (published_name,), 5_000_000)
    elif len(keys) == 1:
        table, name, _ = MADSEN_FIGURES[keys[0]]
        place = point(name, values[keys[0]])
        steps = _madsen_steps(float(values["task.inputs"]))
        yield Match(table.format(op=op), place, op, (model,), steps)


def _madsen_value(run: Run, case: str, key: str) -> Any:
    if key == "task.ranges":
        return task_case(case)
    value = run.value(key, case)
    # A summary leaves out penalties of weight 0.
    return 0.0 if value is None else float(value)


def _madsen_steps(inputs: float) -> int:
    return 5_000_000 if inputs <= 100 else 10_000_000 if inputs <= 200 else 15_000_000


def _varies(run: Run, case: str, key: str) -> bool:
    ranges = key == "task.ranges" and len({task_case(name) for name in run.cases}) > 1
    return ranges or key in run.overrides or key in case_settings(case)


def _test_ranges(run: Run, case: str) -> list[Any] | None:
    """The test ranges of a case, whose name is its training range; None if they are unknown."""
    try:
        ranges = json.loads(str(run.value("task.ranges")))
        published_name = {f"U[{low:g},{high:g}]": ranges for (low, high), *ranges in ranges}
    except (TypeError, ValueError, RecursionError):
        return None
    return published_name.get(task_case(case))


def _madsen_mnist(run: Run, case: str, split: str) -> Iterator[Match]:
    """Sums and products of MNIST digits of Madsen & Johansen, by sequence length.

    In the paper the unit is the recurrent cell and the loss has the total after every digit. NMU,
    NAC*,NMU and NAU were trained with and without R_z; NAC+ with R_z is called `NAC+,Rz`.
    """
    task, length = run.summary["task"], re.fullmatch(r"length_(\d+)", split)
    model = MADSEN_MNIST.get(task, {}).get(run.summary["unit"])
    as_theirs = (
        run.value("data") == "mnist"
        and run.summary["head"] in CELLS
        and run.value("task.supervise") == "every"
        and run.metric == "mse"
    )
    if not (as_theirs and model and length) or case == ALL:
        return
    op, with_r_z, without, steps = MADSEN_MNIST_FIGURES[task]
    weight = float(run.value("penalty.r_z.weight", case) or 0.0)
    if weight not in (0.0, 1.0) or (weight and model in ("NAC*", "NAC*,sigma", "NALU")):
        return
    model = "NAC+,Rz" if weight and model == "NAC+" else model
    yield Match(with_r_z if weight else without, f"length={length[1]}", op, (model,), steps)


def _inalu(run: Run, case: str, split: str) -> Iterator[Match]:
    """Experiment 1, 2 or 4 of iNALU, one input distribution or all of an experiment together."""
    experiment = re.fullmatch(r"inalu_(exp[124])(_rmsprop)?", str(run.summary.get("experiment")))
    known = {"validation": "int", "extrapolation": "ext"}
    if run.summary["task"] != "inalu_simple" or experiment is None or split not in known:
        return
    if str(run.value("task.replay")) == "True":  # the published runs again, no sample of their own
        return
    unit = run.summary["unit"]
    if unit == "inalu" and str(run.value("unit.tied")).lower() == "true":
        unit = "inalu_shared"
    place = f"{experiment[1]} {known[split]}"
    each = {name for name in _distributions(place) if name}
    if case == ALL and set(run.cases) != each:
        return
    table = f"{experiment[1]} {'aggregated' if case == ALL else 'per distribution'}"
    place = place if case == ALL else f"{place} {case}"
    models = INALU_MODELS.get(unit, ())
    yield Match(table, place, str(run.value("task.operation")), models, INALU_STEPS)


def _inalu_grid(run: Run, case: str, split: str) -> Iterator[Match]:
    """Experiment 3 of iNALU, at one setting of the initial values."""
    known = {"validation": "int", "extrapolation": "ext"}
    values = re.fullmatch(r"g_mean=(\S+) m_mean=(\S+) w_mean=(\S+) stddev=(\S+)", case)
    if run.summary.get("experiment") != "inalu_exp3" or values is None or split not in known:
        return
    g, m, w, deviation = map(float, values.groups())
    place = f"exp3 {known[split]} init g={g:.1f} m={m:.1f} w={w:.1f} sd={deviation:.1f}"
    operation = str(run.value("task.operation"))
    yield Match("exp3 init grid", place, operation, ("iNALU",), 2 * INALU_STEPS)


def _distributions(place: str) -> Iterable[str]:
    tasks = {fact.task for fact in facts() if fact.source == "iNALU2020"}
    return (task.removeprefix(place).strip() for task in tasks if task.startswith(place))


def _trask(run: Run, case: str, split: str) -> Iterator[Match]:
    """Static tasks in Table 1 of Trask et al., whose errors are relative to a random model's."""
    known = {"validation": "interp", "extrapolation": "extrap"}
    model = TRASK_MODELS.get(_units(run))
    op = TRASK_OPERATIONS.get(str(run.value("task.operation")))
    if run.summary["task"] == "arithmetic" and split in known and model and op and case != ALL:
        place = f"simple function static {known[split]}"
        yield Match("Table 1", place, op, (model,), None)


def _trask_recurrent(run: Run, case: str, split: str) -> Iterator[Match]:
    """Recurrent tasks in Table 1: trained at length 10, measured at length 1,000."""
    known = {"length_10": "interp", "length_1000": "extrap"}
    op = TRASK_OPERATIONS.get(str(run.value("task.operation")))
    parts = (run.summary["encoder"], run.summary["head"])
    model = TRASK_RECURRENT.get(parts)
    if model == "ReLU" and run.value("encoder.activation") != "relu":
        return
    if parts == ("hidden_cell", "readout"):
        model = TRASK_MODELS.get(_units(run))
    recurrent = run.summary["task"] == "arithmetic_recurrent"
    if recurrent and split in known and model and op and case != ALL:
        place = f"simple function recurrent {known[split]}"
        yield Match("Table 1", place, op, (model,), None)


def _trask_pictures(run: Run, case: str, split: str) -> Iterator[Match]:
    """Table 2: digits counted or added up over 10, 100 and 1,000 pictures."""
    task, length = TRASK_PICTURES.get(run.summary["task"]), split.removeprefix("length_")
    if task is None or length not in ("10", "100", "1000") or case == ALL:
        return
    head, unit = run.summary["head"], run.summary["unit"]
    model = TRASK_HEADS.get(head)
    if model == "RNN":
        model = {"tanh": "RNN-tanh", "relu": "RNN-ReLU"}.get(str(run.value("head.activation")))
    elif head in ("accumulate", "unit_cell") and unit in ("nac", "nalu"):
        model = unit.upper()
    if model:
        yield Match("Table 2", f"MNIST {task} length {length}", task, (model,), None)


def _trask_words(run: Run, case: str, split: str) -> Iterator[Match]:
    """Table 3: numbers below a thousand in words, read by an LSTM."""
    known = {"train_numbers": "train", "validation": "validation", "test": "test"}
    model = TRASK_WORDS.get(run.summary["unit"])
    parts = (run.summary["encoder"], run.summary["head"])
    of_theirs = run.summary["task"] == "language" and parts == ("lstm", "readout")
    if of_theirs and split in known and model and case != ALL:
        place = f"language to number {known[split]}"
        yield Match("Table 3", place, "translate", (model,), None)


def _trask_figure(run: Run, case: str, split: str) -> Iterator[Match]:
    """Figure 1 of Trask et al., at the two ends of its horizontal axis."""
    model = TRASK_ACTIVATIONS.get(str(run.value("encoder.activation")))
    as_theirs = run.summary["task"] == "identity_autoencoder" and all(
        _same(run.value(key), value) for key, value in TRASK_FIGURE.items()
    )
    if as_theirs and split in TRASK_ENDS and model and case != ALL:
        yield Match("Fig. 1", f"identity {TRASK_ENDS[split]}", "identity", (model,), None)


def _mistry(run: Run, case: str, split: str) -> Iterator[Match]:
    """The notes on MCFC: sums and products of two inputs, nine ranges, by the Primer's protocol.

    Their MulMCFC without a sign takes the logarithm of the input itself, which has none below 0:
    only `unit.sign=undefined` corresponds to it.
    """
    figure, model = MISTRY_MODELS.get(run.summary["unit"], ("", ""))
    operation = str(run.value("task.operation"))
    if not _of_primer(run, split) or MISTRY_OPERATIONS.get(figure) != operation or case == ALL:
        return
    if model == "MulMCFC" and run.value("unit.sign") != "undefined":
        return
    yield Match(f"MCFC findings (2023) {figure}", case, operation, (model,), PRIMER_STEPS)


def _dmu(run: Run, case: str, split: str) -> Iterator[Match]:
    """The domain mixed unit, measured with its gate rounded, in the table of its own repository."""
    operation = str(run.value("task.operation"))
    model = DMU_MODELS.get((run.summary["unit"], operation))
    rounded = _same(str(run.value("unit.hard")).lower(), True)
    if not _of_primer(run, split) or model is None or not rounded:
        return
    ranges = {fact.task for fact in facts() if fact.source == "DMU2025"} - {ALL}
    if case != ALL or set(run.cases) == ranges:
        yield Match("NALM benchmark, 25 seeds", case, operation, (model,), DMU_STEPS)


def _of_primer(run: Run, split: str) -> bool:
    """Whether a split is the extrapolation of the Primer's task of two inputs."""
    two = _same(run.value("task.inputs"), 2)
    return run.summary["task"] == "single_module" and two and split == "extrapolation"


def _heim_simple(run: Run, case: str, split: str) -> Iterator[Match]:
    """Four operations by one network: each operation is a row, and has a split of its own."""
    if run.summary["task"] != "npu_simple" or split == "validation" or case == ALL:
        return
    hidden, unit = _units(run)
    model = HEIM_HIDDEN.get(hidden) if unit == "linear" else None
    if hidden == unit == "nalu":
        model = "NALU"
    if all(_same(run.value(key), value) for key, value in HEIM_DENSE.items()):
        model = "Dense"
    if model:
        place = "simple arithmetic, 20 models"
        yield Match("simple arithmetic", place, split, (model,), 20_000)


def _heim_large(run: Run, case: str, split: str) -> Iterator[Match]:
    """Sums of 50 of 100 inputs, in the range of training or in that of the test."""
    known = {"validation": "training range", "extrapolation": "testing"}
    model = HEIM_UNITS.get(str(run.summary["unit"]))
    if run.summary["task"] != "npu_large" or split not in known or not model or case == ALL:
        return
    op = str(run.value("task.operation"))
    steps = HEIM_NMU_STEPS.get(op, 100_000) if model == "NMU" else 100_000
    place = "100 inputs, the best 10 of 10 or 20 runs"
    yield Match(f"large scale arithmetic, {known[split]}", place, op, (model,), steps)


def _mdlrnn(run: Run, case: str, split: str) -> Iterator[Match]:
    """The recurrent networks of Lan et al., on languages or on addition."""
    kind = MDLRNN_MODELS.get(str(run.summary["encoder"]))
    if split != "test" or not kind or case == ALL or run.summary["unit"] != "linear":
        return
    tanh = run.value("encoder.activation") in (None, "tanh")
    if not tanh or run.value("encoder.initial") != "torch":
        return
    if run.summary["task"] == "anbn":
        multiples = str(run.value("task.multiples")).replace(" ", "")
        op, place = MDLRNN_LANGUAGES.get(multiples, ""), f"{run.value('task.strings')} strings"
    elif run.summary["task"] == "dyck1" and run.value("task.measure") == "next":
        op, place = "Dyck-1", f"{run.value('task.strings')} strings"
    elif run.summary["task"] == "binary_addition":
        op, place = "addition", f"below {run.value('task.below')}"
    else:
        return
    model = f"{kind} {run.value('encoder.units')}"
    yield Match("runs of Table 1", place, op, (model,), 1000)


def _same(value: Any, expected: Any) -> bool:
    """Whether a setting has a value, as a number or as text: a sweep records `8` as text."""
    try:
        return bool(json.loads(str(value)) == expected)
    except ValueError:
        return bool(value == expected)


def _units(run: Run) -> tuple[str, str]:
    """The names of the units of the hidden layer and of the output layer."""
    unit, inner = run.summary["unit"], run.value("encoder.unit")
    return (unit if inner in (None, "None", "null") else str(inner)), unit
