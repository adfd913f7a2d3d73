"""The convnet that turns pictures into features: every frame of every sequence in one call."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("nalu_seq")
class Convnet(keras.layers.Layer):
    """Convolutions with ReLU and max pooling, a dense layer with ReLU, a dense layer of outputs.

        for each of filters: convolution kernel x kernel, ReLU, max pooling 2 x 2
        dense hidden, ReLU; dense outputs, activation

    Args:
        outputs: how many features a picture becomes.
        filters: how many filters each convolution has.
        kernel: height and width of a filter.
        hidden: size of the dense layer.
        activation: of the outputs, such as linear, sigmoid or softmax.
        padding: of the convolutions: valid, or same for small pictures.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, height, width, channels]`, or `[batch, time, height, width, channels]`,
    whose frames all go through the network in one call. Output shape: the input's with `outputs` in
    the place of the last three axes.

    Attributes:
        loops_over_members: a population calls it for one member after the other, as a convolution
            with filters of each member's own has no form for all at once.

    Example:
        >>> y = Convnet(10)(keras.ops.ones((2, 5, 28, 28, 1)))
        >>> tuple(y.shape)
        (2, 5, 10)

    Raises:
        ValueError: a picture too small for its convolutions and pools.

    Source: the network of Madsen & Johansen 2020 (arXiv 2001.05016), after PyTorch's example for
    MNIST.
    """

    loops_over_members = True

    def __init__(
        self,
        outputs: int,
        filters: Sequence[int] = (20, 50),
        kernel: int = 5,
        hidden: int = 500,
        activation: str = "linear",
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.outputs, self.filters, self.kernel = outputs, list(filters), kernel
        self.hidden, self.activation, self.padding = hidden, activation, padding
        self.network = keras.Sequential(name="network")
        for i, count in enumerate(self.filters, 1):
            self.network.add(
                keras.layers.Conv2D(
                    count, kernel, padding=padding, activation="relu", name=f"conv{i}"
                )
            )
            self.network.add(keras.layers.MaxPool2D(name=f"pool{i}"))
        self.network.add(keras.layers.Flatten(name="flat"))
        self.network.add(keras.layers.Dense(hidden, activation="relu", name="hidden"))
        self.network.add(keras.layers.Dense(outputs, activation=activation, name="outputs"))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the layers for one picture."""
        if len(input_shape) < 4:
            raise ValueError(
                f"Convnet needs pictures, and a step has {input_shape[-1]} numbers: use "
                "another encoder"
            )
        height, width = (_size_after(n, len(self.filters), self) for n in input_shape[-3:-1])
        if min(height, width) < 1:
            raise ValueError(
                f"Convnet: pictures of {input_shape[-3]} x {input_shape[-2]} are too small for "
                f"{len(self.filters)} convolutions {self.kernel} x {self.kernel}, padding "
                f"{self.padding}, with a pool each: give larger ones, or padding=same"
            )
        if not self.network.built:
            self.network.build((None, *input_shape[-3:]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape with `outputs` in the place of a picture's axes."""
        return (*input_shape[:-3], self.outputs)

    def call(self, x: Any) -> Any:
        """`[..., height, width, channels] -> [..., outputs]`."""
        if len(x.shape) == 4:
            return self.network(x)
        y = self.network(ops.reshape(x, (-1, *x.shape[-3:])))
        return ops.reshape(y, (*ops.shape(x)[:-3], self.outputs))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("outputs", "filters", "kernel", "hidden", "activation", "padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _size_after(size: int | None, pools: int, net: Convnet) -> int:
    """A picture's height or width after all convolutions and pools."""
    if size is None:
        raise ValueError("Convnet: pictures must have a known size")
    for _ in range(pools):
        size = (size if net.padding == "same" else size - net.kernel + 1) // 2
    return size
