"""The convnet: pictures one by one and in sequences, saved and loaded, too small ones refused."""

import doctest

import keras
import numpy as np
import pytest

from nalu_seq.models.convnet import Convnet
from tests.units.layers import array


def pictures(*axes: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(*axes, size, size, 1)).astype("float32")


def test_a_sequence_is_its_frames_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = Convnet(3, filters=[2, 4], hidden=8), pictures(2, 5)
    frames = np.stack([array(net(x[:, t])) for t in range(5)], axis=1)
    seen, whole = [], net.network.call

    def watched(y, **how):
        seen.append(tuple(y.shape))
        return whole(y, **how)

    monkeypatch.setattr(net.network, "call", watched)
    np.testing.assert_allclose(array(net(x)), frames, rtol=1e-4, atol=1e-5)
    assert seen == [(10, 16, 16, 1)]


def test_its_layers_are_the_papers() -> None:
    net = Convnet(10)
    net.build((None, None, 28, 28, 1))
    assert [tuple(v.shape) for v in net.variables] == [
        (5, 5, 1, 20), (20,), (5, 5, 20, 50), (50,), (800, 500), (500,), (500, 10), (10,),
    ]  # fmt: skip


def test_softmax_outputs_are_shares() -> None:
    y = array(Convnet(4, filters=[2], hidden=3, activation="softmax")(pictures(6)))
    np.testing.assert_allclose(y.sum(axis=-1), np.ones(6), rtol=1e-5)


def test_sigmoid_outputs_are_parts_of_one_each() -> None:
    linear = Convnet(4, filters=[2], hidden=3)
    bounded = Convnet(4, filters=[2], hidden=3, activation="sigmoid")
    y = array(linear(pictures(6)))
    bounded.build((None, 16, 16, 1))
    bounded.set_weights(linear.get_weights())
    np.testing.assert_allclose(array(bounded(pictures(6))), 1 / (1 + np.exp(-y)), rtol=1e-5)


def test_keras_file_round_trip(tmp_path) -> None:
    x = keras.Input((None, 16, 16, 1))
    model = keras.Model(x, Convnet(3, filters=[2, 4], hidden=8, padding="same")(x))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(again(pictures(2, 3))), array(model(pictures(2, 3))))


def test_a_picture_too_small_is_refused_before_keras_meets_it() -> None:
    with pytest.raises(ValueError, match=r"8 x 8 are too small for 2 convolutions .* padding=same"):
        Convnet(3)(pictures(1, size=8))
    assert tuple(Convnet(3, padding="same")(pictures(1, size=8)).shape) == (1, 3)


def test_docstring_s_example_runs() -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(
        Convnet, globs={"Convnet": Convnet, "keras": keras}
    )
    assert test.examples and doctest.DocTestRunner().run(test).failed == 0
