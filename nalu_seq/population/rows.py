"""Examples in memory of which each member takes its own rows, in an order of its own."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter, can_convert_arrays


class Batch(NamedTuple):
    """The data of one call of the training step: tensors in memory, passed without a copy.

    Attributes:
        start: the place of the call's first example within the pass.
        steps: in a tuple, how many full batches the call takes; empty for one batch, full or not.
        rest: whether the call takes the last batch after them, which is not full.
        places: `0 .. B - 1`; its length is the batch's size.
        rows: `[M, n]`, each member's own rows, or `[n]`, the same for all.
        order: a tuple with one element if each member sees its rows in an order of its own, else
            empty.
        data: x, or (x, y), or (x, y, sample_weight), `[examples, ...]` each.
    """

    start: Any
    steps: Any
    rest: Any
    places: Any
    rows: Any
    order: Any
    data: Any


class OwnBatch(NamedTuple):
    """A batch of each member's own examples, `[B, M, ...]`, which replicas share along B."""

    data: Any


class Rows:
    """Arrays of which each member sees only its own rows: k-fold, bootstrap, a share of the data.

    Pass it to `Population.fit` and `evaluate` in the place of x and y, or as `validation_data`.

    Args:
        rows: `[M, n]`, the indices of each member's examples; or `[n]`, the same for all members.
        x: `[examples, ...]`: an array, or a list, tuple or dictionary of them.
        y: targets, in the form of x; None for none.
        sample_weight: `[examples]`; None for none.
        class_weight: the weight of each class, in the place of `sample_weight`.

    Example:
        >>> folds = np.array_split(np.random.permutation(100), 5)
        >>> train = [np.concatenate(folds[:i] + folds[i + 1 :]) for i in range(5)]
        >>> population = Population(build_model, seeds=5)
        >>> population.fit(Rows(train, x, y), validation_data=Rows(folds, x, y))

    Raises:
        ValueError: rows of different lengths or beyond the examples.
    """

    def __init__(
        self,
        rows: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        # Keras' own adapter converts the arrays as in `fit`, into one batch of all examples.
        examples = len(keras.tree.flatten(x)[0])
        adapter = ArrayDataAdapter(
            x, y, sample_weight, batch_size=max(examples, 1), class_weight=class_weight
        )
        if not examples:
            raise ValueError("x has no examples: give it at least one")
        batch = next(iter(adapter.get_numpy_iterator()))
        self.data = keras.tree.map_structure(_tensor, keras.tree.lists_to_tuples(batch))
        try:
            self.rows = np.asarray(np.arange(examples) if rows is None else rows, np.int32)
        except ValueError:
            raise ValueError(
                "rows must have equally many for each member: [members, rows]"
            ) from None
        if self.rows.ndim not in (1, 2) or not self.rows.size:
            raise ValueError(f"rows must be [members, rows] or [rows], not {self.rows.shape}")
        if self.rows.min() < 0 or self.rows.max() >= examples:
            raise ValueError(f"rows must be from 0 to {examples - 1}, the last example")

    def dataset(
        self, batch_size: int, shuffle: bool, members: int, steps: int = 1
    ) -> tf.data.Dataset:
        """One pass over the rows as a data set with a `Batch` for each call.

        Args:
            batch_size: examples a step.
            shuffle: whether each member has an order of its own.
            members: the number of members.
            steps: training steps in a call, which makes them in a loop.

        Raises:
            ValueError: the rows are of another number of members.
        """
        if self.rows.ndim == 2 and len(self.rows) != members:
            raise ValueError(f"rows has {len(self.rows)} members, and the population has {members}")
        count = self.rows.shape[-1]
        size = min(batch_size, count)
        full, all_steps = count // size, -(-count // size)
        starts = np.arange(0, all_steps, steps)
        each = np.minimum(starts + steps, full) - starts
        rests = starts + steps >= all_steps if full < all_steps else np.zeros(len(starts), bool)
        slices, same = tf.data.Dataset.from_tensor_slices, _repeated
        # Zipped, not mapped: a function would be prepared anew for each epoch's iterator, 5 ms.
        parts = Batch(
            slices((starts * size).astype(np.int32)),
            (slices(each.astype(np.int32)),) if steps > 1 else (),
            slices(rests),
            same(np.arange(size, dtype=np.int32)),
            same(self.rows),
            (same(np.int32(0)),) if shuffle else (),
            same(self.data),
        )
        return tf.data.Dataset.zip(parts).with_options(_without_threads())

    def shared(self, batch_size: int, orders: Any, members: int) -> tf.data.Dataset:
        """One pass over the rows for replicas, which share each batch: an `OwnBatch` for each step.

        Args:
            batch_size: examples a step.
            orders: a function that returns the order of the next pass, places `[M, n]`.
            members: the number of members.
        """
        rows = np.broadcast_to(self.rows, [members, self.rows.shape[-1]])

        def batches() -> Iterator[Any]:
            own = np.take_along_axis(rows, np.asarray(orders()), axis=1)
            for start in range(0, own.shape[1], batch_size):
                columns = own[:, start : start + batch_size].T
                yield tuple(tf.gather(part, columns) for part in tf.nest.flatten(self.data))

        flat = [t for t in tf.nest.flatten(self.data) if t is not None]
        specs = [tf.TensorSpec([None, members, *t.shape[1:]], t.dtype) for t in flat]
        elements = tf.data.Dataset.from_generator(batches, output_signature=tuple(specs))
        steps = -(-rows.shape[1] // batch_size)
        packed = elements.map(lambda *parts: OwnBatch(tf.nest.pack_sequence_as(self.data, parts)))
        return packed.apply(tf.data.experimental.assert_cardinality(steps))


def _tensor(array: Any) -> Any:
    return None if array is None else tf.convert_to_tensor(array)


def _repeated(value: Any) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(value).repeat()


def _without_threads() -> tf.data.Options:
    """Options that leave the making of elements to the thread that asks for them.

    A `Batch` only refers to tensors in memory, so that there is nothing to prepare ahead, while
    threads would have to be started and joined for each epoch.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_optimization.inject_prefetch = False
    options.threading.private_threadpool_size = 1
    return options


def are_arrays(*data: Any) -> bool:
    """Whether Keras' `fit` would treat these data as arrays in memory.

    Args:
        *data: x, y and sample weights, in this order; None for those that there are not.
    """
    return data[0] is not None and can_convert_arrays(data)
