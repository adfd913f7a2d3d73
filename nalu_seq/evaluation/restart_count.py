"""How often each member has started anew."""

from nalu_seq.records.observers import Measurement, Measurer
from nalu_seq.training.restarts import Restarts


class RestartCount(Measurer):
    """The starts of each member besides its first; nothing where members never start anew.

    Args:
        restarts: what starts members anew, or None.
    """

    def __init__(self, restarts: Restarts | None) -> None:
        self._restarts = restarts

    def __call__(self) -> list[Measurement]:
        """`train/restarts`."""
        if self._restarts is None:
            return []
        return [Measurement("train", "restarts", self._restarts.count.copy())]
