"""Mistry's notes on MCFC (2023): sums and products by the Primer's protocol."""

from collections.abc import Iterator

from nalu_seq.reports.published import ALL, Match
from nalu_seq.reports.summaries import Run

# unit -> its name in the notes on MCFC with the Primer's task (2023), by figure
MODELS = {
    "nau": ("Fig. 1", "NAU"),
    "mcfc": ("Fig. 1", "MCFC"),
    "nmu": ("Fig. 2", "NMU"),
    "mul_mcfc": ("Fig. 2", "MulMCFC"),
    "mul_mcfc_inalu": ("Fig. 2", "MulMCFC (sign: iNALU)"),
    "mul_mcfc_real_npu": ("Fig. 2", "MulMCFC (sign: Real NPU)"),
}
OPERATIONS = {"Fig. 1": "add", "Fig. 2": "mul"}
STEPS = 50_000


def _mcfc(run: Run, case: str, split: str) -> Iterator[Match]:
    """The notes on MCFC: sums and products of two inputs, nine ranges, by the Primer's protocol.

    Their MulMCFC without a sign takes the logarithm of the input itself, which has none below 0:
    only `unit.sign=undefined` corresponds to it.
    """
    figure, model = MODELS.get(run.summary["unit"], ("", ""))
    operation = str(run.value("task.operation"))
    if not of_primer(run, split) or OPERATIONS.get(figure) != operation or case == ALL:
        return
    if model == "MulMCFC" and run.value("unit.sign") != "undefined":
        return
    yield Match(f"MCFC findings (2023) {figure}", case, operation, (model,), STEPS)


def of_primer(run: Run, split: str) -> bool:
    """Whether a split is the extrapolation of the Primer's task of two inputs.

    Args:
        run: the run that is compared.
        split: the name of one of its splits.
    """
    two = run.has("task.inputs", 2)
    return run.summary["task"] == "single_module" and two and split == "extrapolation"


FINDERS = (_mcfc,)
