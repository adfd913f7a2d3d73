"""A resumed run keeps the config that it was trained with."""

import pytest

from nalu_seq.errors import BadInput
from nalu_seq.experiment.resume import check_unchanged


def test_another_config_than_the_checkpoints_is_refused() -> None:
    with pytest.raises(BadInput, match="batch_size is 5 in the run's config, but it was trained"):
        check_unchanged({"train.batch_size": 4}, {"train.batch_size": 5})


@pytest.mark.parametrize("key", ["train.compile", "train.parts"])
def test_a_setting_that_earlier_versions_recorded_may_be_free_by_now(key: str) -> None:
    check_unchanged({"train.batch_size": 4, key: "xla"}, {"train.batch_size": 4})
