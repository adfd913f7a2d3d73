"""One module, two relevant inputs, nine ranges: what a unit can learn by itself."""

from collections.abc import Mapping
from typing import Any

from nalu_seq.tasks.arithmetic import Arithmetic
from nalu_seq.tasks.ranges import Ranges
from nalu_seq.tasks.thresholds import single_module
from nalu_seq.units.weights import positive_integer


class SingleModule(Arithmetic):
    """`x_1 op x_2` from two inputs, or from more of which two neighbours are relevant.

    Each pair of ranges is a case, so that nine of them and 25 seeds are one population of 225. Each
    seed draws once which two neighbours are relevant. Splits and success are as for `Arithmetic`,
    with the threshold of one module.

    Example: with `sub` and 2 inputs, `[1.5, 1.2]` has the target `[0.3]`.

    Args:
        operation: add, sub, mul or div.
        inputs: how many inputs, at least two.
        ranges: `[[low, high], [low, high]]`: trained, and tested; two tested ones make a union.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: the Primer (Mistry et al. 2022, JMLR 23(185), arXiv 2101.09530), section 5.
    """

    operations = ("add", "sub", "mul", "div")

    def __init__(
        self, operation: str = "add", inputs: int = 2, ranges: list[Any] | None = None
    ) -> None:
        if positive_integer("inputs", inputs) < 2:
            raise ValueError(f"inputs must be at least 2, not {inputs}")
        super().__init__(operation, inputs, subset=1 / inputs, overlap=0.0, ranges=ranges)

    def _check_range(self, case: Ranges) -> None:
        if self.operation == "div" and any(low <= 0 <= high for low, high in case.test):
            raise ValueError(
                f"ranges: {case.name} is tested where the divisor can be 0; for div a tested range "
                "must not hold 0"
            )

    def _thresholds(self, published: bool) -> Mapping[str, float]:
        del published
        return {
            name: single_module(self.operation, case.test, self.input_size)
            for name, case in self.ranges.items()
        }
