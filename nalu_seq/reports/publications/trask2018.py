"""Trask et al. 2018 (arXiv 1808.00508): tables 1 to 3 and figure 1."""

from collections.abc import Iterator

from nalu_seq.reports.published import ALL, Match
from nalu_seq.reports.summaries import Run

MODELS = {("relu6", "linear"): "Relu6", ("linear", "linear"): "None"} | {
    (name, name): name.upper() for name in ("nac", "nalu")
}
OPERATIONS = {
    "add": "a+b",
    "sub": "a-b",
    "mul": "a*b",
    "div": "a/b",
    "square": "a^2",
    "root": "sqrt(a)",
}
# (encoder, head) -> the name of a baseline that has no unit; one that reads pictures is a head
RECURRENT = {("lstm", "dense"): "LSTM", ("rnn", "dense"): "ReLU"}
HEADS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
PICTURES = {"mnist_count": "counting", "mnist_sum": "addition"}
WORDS = {"linear": "LSTM", "nac": "LSTM+NAC", "nalu": "LSTM+NALU"}
# encoder.activation -> its name in the legend of figure 1, in the order of the legend
ACTIVATIONS = {
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
# our split -> the point of figure 1 at which the published value was read off
ENDS = {"at_-20": "x=-19.8", "at_20": "x=+19.8"}
FIGURE = {"encoder.units": 8, "encoder.layers": 3, "task.range": [-5, 5]}


def _static(run: Run, case: str, split: str) -> Iterator[Match]:
    """Static tasks in Table 1 of Trask et al., whose errors are relative to a random model's."""
    known = {"validation": "interp", "extrapolation": "extrap"}
    model = MODELS.get(run.units)
    op = OPERATIONS.get(str(run.value("task.operation")))
    if run.summary["task"] == "arithmetic" and split in known and model and op and case != ALL:
        place = f"simple function static {known[split]}"
        yield Match("Table 1", place, op, (model,), None)


def _recurrent(run: Run, case: str, split: str) -> Iterator[Match]:
    """Recurrent tasks in Table 1: trained at length 10, measured at length 1,000."""
    known = {"length_10": "interp", "length_1000": "extrap"}
    op = OPERATIONS.get(str(run.value("task.operation")))
    parts = (run.summary["encoder"], run.summary["head"])
    model = RECURRENT.get(parts)
    if model == "ReLU" and run.value("encoder.activation") != "relu":
        return
    if parts == ("hidden_cell", "readout"):
        model = MODELS.get(run.units)
    recurrent = run.summary["task"] == "arithmetic_recurrent"
    if recurrent and split in known and model and op and case != ALL:
        place = f"simple function recurrent {known[split]}"
        yield Match("Table 1", place, op, (model,), None)


def _pictures(run: Run, case: str, split: str) -> Iterator[Match]:
    """Table 2: digits counted or added up over 10, 100 and 1,000 pictures."""
    task, length = PICTURES.get(run.summary["task"]), split.removeprefix("length_")
    if task is None or length not in ("10", "100", "1000") or case == ALL:
        return
    head, unit = run.summary["head"], run.summary["unit"]
    model = HEADS.get(head)
    if model == "RNN":
        model = {"tanh": "RNN-tanh", "relu": "RNN-ReLU"}.get(str(run.value("head.activation")))
    elif head in ("accumulate", "unit_cell") and unit in ("nac", "nalu"):
        model = unit.upper()
    if model:
        yield Match("Table 2", f"MNIST {task} length {length}", task, (model,), None)


def _words(run: Run, case: str, split: str) -> Iterator[Match]:
    """Table 3: numbers below a thousand in words, read by an LSTM."""
    known = {"train_numbers": "train", "validation": "validation", "test": "test"}
    model = WORDS.get(run.summary["unit"])
    parts = (run.summary["encoder"], run.summary["head"])
    of_theirs = run.summary["task"] == "language" and parts == ("lstm", "readout")
    if of_theirs and split in known and model and case != ALL:
        place = f"language to number {known[split]}"
        yield Match("Table 3", place, "translate", (model,), None)


def _identity(run: Run, case: str, split: str) -> Iterator[Match]:
    """Figure 1 of Trask et al., at the two ends of its horizontal axis."""
    model = ACTIVATIONS.get(str(run.value("encoder.activation")))
    as_theirs = run.summary["task"] == "identity_autoencoder" and all(
        run.has(key, value) for key, value in FIGURE.items()
    )
    if as_theirs and split in ENDS and model and case != ALL:
        yield Match("Fig. 1", f"identity {ENDS[split]}", "identity", (model,), None)


FINDERS = (_static, _recurrent, _pictures, _words, _identity)
