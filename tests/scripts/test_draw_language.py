"""The picture of what a network of task=language holds after each word."""

from pathlib import Path

import pytest

from nalu_seq.tasks.language import Language, number_words
from scripts import draw_language


@pytest.mark.slow
def test_each_number_has_its_words_and_each_seed_s_values(main, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    small = ["seeds=2", "train.steps=2", "train.eval_every=2", f"hydra.run.dir={tmp_path / 'run'}"]
    beyond = ["task.beyond=1000000", "task.above=20"]
    code, _, err = main("experiment=language_affine", "hydra.mode=RUN", *small, *beyond)
    assert code == 0, err
    parts = Language(beyond=1_000_000, above=20).parts
    numbers = [int(parts["test"][0]), int(parts["above"][0])]
    values = draw_language.running_values(tmp_path / "run", numbers)
    for number in numbers:
        words, steps = values[number]
        assert words == number_words(number, "british")
        assert steps.shape == (2, len(words))
    draw_language.draw(values, tmp_path / "language.png")
    assert (tmp_path / "language.png").stat().st_size > 1000
    with pytest.raises(SystemExit, match="2000 is not in the split test or above; valid: such as"):
        draw_language.running_values(tmp_path / "run", [2000])
