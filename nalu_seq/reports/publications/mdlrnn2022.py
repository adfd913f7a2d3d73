"""Lan et al. 2022 (MDLRNN): recurrent networks on languages and addition."""

from collections.abc import Iterator

from nalu_seq.reports.published import ALL, Match
from nalu_seq.reports.summaries import Run

LANGUAGES = {
    "[1,1]": "a^n b^n",
    "[1,1,1]": "a^n b^n c^n",
    "[1,1,1,1]": "a^n b^n c^n d^n",
    "[1,2]": "a^n b^2n",
}
MODELS = {"rnn": "Elman", "gru": "GRU", "lstm": "LSTM"}


def _networks(run: Run, case: str, split: str) -> Iterator[Match]:
    """The recurrent networks of Lan et al., on languages or on addition."""
    kind = MODELS.get(str(run.summary["encoder"]))
    if split != "test" or not kind or case == ALL or run.summary["unit"] != "linear":
        return
    tanh = run.value("encoder.activation") in (None, "tanh")
    if not tanh or run.value("encoder.initial") != "torch":
        return
    if run.summary["task"] == "anbn":
        multiples = str(run.value("task.multiples")).replace(" ", "")
        op, place = LANGUAGES.get(multiples, ""), f"{run.value('task.strings')} strings"
    elif run.summary["task"] == "dyck1" and run.value("task.measure") == "next":
        op, place = "Dyck-1", f"{run.value('task.strings')} strings"
    elif run.summary["task"] == "binary_addition":
        op, place = "addition", f"below {run.value('task.below')}"
    else:
        return
    model = f"{kind} {run.value('encoder.units')}"
    yield Match("runs of Table 1", place, op, (model,), 1000)


FINDERS = (_networks,)
