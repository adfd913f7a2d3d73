"""How often each member was given new initial values."""

from nalu_seq.records.observers import Measurement, Measurer
from nalu_seq.training.restarts import Restarts


class RestartCount(Measurer):
    """Counts how often each member was restarted with new initial values.

    Args:
        restarts: restarts members; None where no member is ever restarted, and nothing is counted.
    """

    def __init__(self, restarts: Restarts | None) -> None:
        self._restarts = restarts

    def __call__(self) -> list[Measurement]:
        """The measurement `train/restarts`, `[M]`."""
        if self._restarts is None:
            return []
        return [Measurement("train", "restarts", self._restarts.count.copy())]
