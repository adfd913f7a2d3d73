"""Everything that Keras has, by reflection, and how each is tried on small data."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L

from tests.population.differential import Outcome, compare

RANDOM = np.random.RandomState(0)
STEPS = 3
BATCH = 4
SHAPES = {"flat": (4,), "steps": (5, 3), "image": (6, 6, 2), "volume": (4, 4, 4, 2)}
X = {
    name: RANDOM.normal(size=(STEPS * BATCH, *shape)).astype("float32")
    for name, shape in SHAPES.items()
}
X["whole"] = RANDOM.randint(0, 6, size=(STEPS * BATCH, 5)).astype("int32")
Y = RANDOM.normal(size=(STEPS * BATCH, 1)).astype("float32")


def public(module: Any, kind: type) -> list[str]:
    """The names of a module's public classes of a kind; each class once."""
    classes: dict[type, str] = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        is_one = isinstance(value, type) and issubclass(value, kind)
        if is_one and (value not in classes or name == value.__name__):
            classes[value] = name
    return sorted(classes.values())


# Layers: what they are given, and how they are made if `Layer(**ARGUMENTS)` won't do.
IMAGES = (
    *("2D", "Random", "Resizing", "CenterCrop", "CutMix", "MixUp", "Aug", "Solarization"),
    *("AutoContrast", "Equalization", "Contrast"),
)
SEQUENCES = (
    *("1D", "RNN", "LSTM", "GRU", "Attention", "TimeDistributed", "Bidirectional", "Masking"),
    "Permute",
)
MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")
WHOLE = ("Embedding", "CategoryEncoding", "Hashing", "IntegerLookup", "ReversibleEmbedding")
CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells")
AUGMENTING = (
    *("RandomHue", "RandomSaturation", "RandomGrayscale", "RandomColorJitter", "RandAugment"),
    *("RandomColorDegeneration", "AugMix", "RandomContrast", "AutoContrast", "Equalization"),
    "RandomSharpness",
)
ARGUMENTS = {
    "filters": 2,
    "kernel_size": 2,
    "pool_size": 2,
    "output_size": 2,
    "rate": 0.4,
    "factor": 0.3,
    "units": 3,
    "stddev": 0.5,
    "value_range": (0.0, 1.0),
}
MADE: dict[str, Callable[[], Any]] = {
    "Activation": lambda: L.Activation("tanh"),
    "ActivityRegularization": lambda: L.ActivityRegularization(l1=0.1, l2=0.1),
    "Bidirectional": lambda: L.Bidirectional(L.LSTM(3)),
    "CategoryEncoding": lambda: L.CategoryEncoding(6),
    "CenterCrop": lambda: L.CenterCrop(4, 4),
    "Dense": lambda: L.Dense(3, "tanh", kernel_regularizer="l2", bias_constraint="non_neg"),
    "Discretization": lambda: L.Discretization([-1.0, 0.0, 1.0]),
    "Dot": lambda: L.Dot(1),
    "EinsumDense": lambda: L.EinsumDense("ab,bc->ac", 3),
    "Embedding": lambda: L.Embedding(6, 3),
    "GRU": lambda: L.GRU(3, dropout=0.3, recurrent_dropout=0.3),
    "GRUCell": lambda: L.RNN(L.GRUCell(3)),
    "GroupNormalization": lambda: L.GroupNormalization(2),
    "GroupQueryAttention": lambda: L.GroupQueryAttention(2, 4, 2, dropout=0.2),
    "Hashing": lambda: L.Hashing(6),
    "IntegerLookup": lambda: L.IntegerLookup(vocabulary=[1, 2, 3]),
    "LSTM": lambda: L.LSTM(3, dropout=0.3, return_sequences=True),
    "LSTMCell": lambda: L.RNN(L.LSTMCell(3)),
    "Lambda": lambda: L.Lambda(lambda x: 2 * x),
    "MelSpectrogram": lambda: L.MelSpectrogram(64, 32, num_mel_bins=8),
    "MultiHeadAttention": lambda: L.MultiHeadAttention(2, 2, dropout=0.2),
    "Normalization": lambda: L.Normalization(mean=1.0, variance=2.0),
    "Permute": lambda: L.Permute((2, 1)),
    "RNN": lambda: L.RNN(L.SimpleRNNCell(3), return_sequences=True),
    "RandomCrop": lambda: L.RandomCrop(4, 4),
    "RandomZoom": lambda: L.RandomZoom(0.2, 0.2),
    "RandomTranslation": lambda: L.RandomTranslation(0.2, 0.2),
    "RandomShear": lambda: L.RandomShear(0.2, 0.2),
    "RandomGaussianBlur": lambda: L.RandomGaussianBlur(1.0, 3),
    "RandomPosterization": lambda: L.RandomPosterization(4),
    "RepeatVector": lambda: L.RepeatVector(2),
    "Rescaling": lambda: L.Rescaling(2.0),
    "Reshape": lambda: L.Reshape((2, 2)),
    "Resizing": lambda: L.Resizing(3, 3),
    "ReversibleEmbedding": lambda: L.ReversibleEmbedding(6, 3),
    "STFTSpectrogram": lambda: L.STFTSpectrogram(
        "log", frame_length=32, frame_step=16, fft_length=32
    ),
    "SimpleRNN": lambda: L.SimpleRNN(3, recurrent_dropout=0.3),
    "SimpleRNNCell": lambda: L.RNN(L.SimpleRNNCell(3, dropout=0.3)),
    "SpectralNormalization": lambda: L.SpectralNormalization(L.Dense(3)),
    "StackedRNNCells": lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(3)])),
    "TimeDistributed": lambda: L.TimeDistributed(L.Dense(3)),
}
# What is no layer of a model that is trained: bases, other frameworks' modules, strings, boxes.
NO_LAYER = {
    "InputLayer": "what keras.Input makes; in every model here",
    "Layer": "the base of all layers",
    "Wrapper": "the base of layers around layers",
    "FlaxLayer": "needs another backend",
    "JaxLayer": "needs another backend",
    "TorchModuleWrapper": "needs another backend",
    "TFSMLayer": "needs a SavedModel",
    "StringLookup": "takes strings: prepare them in the data",
    "TextVectorization": "takes strings: prepare them in the data",
    "HashedCrossing": "takes two features to hash: prepare them in the data",
    "MaxNumBoundingBoxes": "takes bounding boxes: prepare them in the data",
    "FeatureSpace": "prepares data",
    "Pipeline": "a list of layers that prepare data",
}


def made_layer(name: str) -> L.Layer:
    """A layer, by its name."""
    if name in MADE:
        return MADE[name]()
    parameters = inspect.signature(getattr(L, name).__init__).parameters.values()
    needed = {p.name: ARGUMENTS[p.name] for p in parameters if p.name in ARGUMENTS}
    return getattr(L, name)(**needed)


def layer_input(name: str) -> np.ndarray:
    """What suits a layer."""
    if name in WHOLE:
        return X["whole"]
    if name.startswith("ConvLSTM"):
        return np.repeat(X[{"1": "steps", "2": "image", "3": "volume"}[name[-2]]][:, None], 3, 1)
    if name.endswith("Spectrogram"):
        shape = (STEPS * BATCH, 128, 1) if name.startswith("STFT") else (STEPS * BATCH, 128)
        return RANDOM.normal(size=shape).astype("float32")
    if name in AUGMENTING:
        return RANDOM.uniform(size=(STEPS * BATCH, 6, 6, 3)).astype("float32")
    if "3D" in name:
        return X["volume"]
    if any(part in name for part in SEQUENCES) or name in CELLS:
        return X["steps"]
    return X["image" if any(part in name for part in IMAGES) else "flat"]


def layer_model(name: str) -> tuple[Callable[[], keras.Model], np.ndarray]:
    """A model with the layer, and what it is given."""
    x = layer_input(name)
    made_layer(name)  # what can't be made is a gap in this file, and no matter of `fit`

    def build() -> keras.Model:
        inputs = first = keras.Input(x.shape[1:], dtype=x.dtype.name)
        if x.shape[1:] == SHAPES["flat"] and name != "Discretization":
            first = L.Dense(4, "tanh")(inputs)
        layer = made_layer(name)
        if name in MERGING:
            y = layer([first, L.Dense(4)(inputs)])
        elif name in ("Attention", "AdditiveAttention"):
            y = layer([first, L.Dense(3)(first)])
        elif name.endswith("Attention"):
            y = layer(first, first)
        else:
            y = layer(first)
        y = keras.tree.flatten(y)[0]
        y = y if str(y.dtype).startswith("float") else keras.ops.cast(y, "float32")
        if name == "RandomCrop":  # gives another shape where nothing is trained
            y = L.GlobalAveragePooling2D()(y)
        y = y if len(y.shape) == 2 else L.Flatten()(y)
        return keras.Model(inputs, L.Dense(1)(y))

    return build, x


def try_layer(name: str) -> Outcome:
    """What becomes of a layer."""
    if name in NO_LAYER:
        return Outcome("none", NO_LAYER[name])
    build, x = layer_model(name)
    return compare(
        build,
        lambda: {"x": x, "y": Y, "batch_size": BATCH},
        lambda: {"optimizer": keras.optimizers.SGD(0.05), "loss": "mse"},
    )


# Optimizers, by `Optimizer()` unless said otherwise.
def dense_model() -> keras.Model:
    """Two dense layers with a norm constraint."""
    hidden = L.Dense(5, "tanh", kernel_constraint=keras.constraints.MaxNorm(0.8))
    return keras.Sequential([keras.Input((4,)), hidden, L.Dense(1)])


def multi_optimizer() -> Any:
    """One optimizer for biases, another for the rest."""
    sgd, adam = keras.optimizers.SGD(0.1), keras.optimizers.Adam(0.01)
    return keras.optimizers.MultiOptimizer(lambda v: sgd if "bias" in v.path else adam)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.01), initial_scale=2.0**10, dynamic_growth_steps=2
    ),
    "MultiOptimizer": multi_optimizer,
    "Muon": lambda: keras.optimizers.Muon(0.01, exclude_layers=["dense_1"]),
}
NO_OPTIMIZER = {"Optimizer": "the base of all optimizers"}


def try_optimizer(name: str, **arguments: Any) -> Outcome:
    """What becomes of an optimizer."""
    if name in NO_OPTIMIZER:
        return Outcome("none", NO_OPTIMIZER[name])
    make = OPTIMIZERS.get(name) or (lambda: getattr(keras.optimizers, name)(**arguments))
    return compare(
        dense_model,
        lambda: {"x": X["flat"], "y": Y, "batch_size": BATCH},
        lambda: {"optimizer": make(), "loss": "mse"},
    )


# Losses and metrics: what targets they take, and what outputs.
CLASSES = RANDOM.randint(0, 3, STEPS * BATCH)
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
POSITIVE = ("Poisson", "MeanSquaredLogarithmicError", "KLDivergence", "MeanAbsolutePercentageError")
NO_LOSS = {"Loss": "the base of all losses"}
NO_METRIC = {
    "Metric": "the base of all metrics",
    "MeanMetricWrapper": "the base of metrics by a function",
    "Mean": "takes values, not targets: for add_metric and the like",
    "Sum": "takes values, not targets: for add_metric and the like",
}
MADE_METRICS: dict[str, Callable[[], Any]] = {
    "MeanIoU": lambda: keras.metrics.MeanIoU(3, sparse_y_pred=False),
    "IoU": lambda: keras.metrics.IoU(3, [0, 1], sparse_y_pred=False),
    "OneHotIoU": lambda: keras.metrics.OneHotIoU(3, [0, 1]),
    "OneHotMeanIoU": lambda: keras.metrics.OneHotMeanIoU(3),
    "BinaryIoU": lambda: keras.metrics.BinaryIoU(),
    "PrecisionAtRecall": lambda: keras.metrics.PrecisionAtRecall(0.5),
    "RecallAtPrecision": lambda: keras.metrics.RecallAtPrecision(0.5),
    "SensitivityAtSpecificity": lambda: keras.metrics.SensitivityAtSpecificity(0.5),
    "SpecificityAtSensitivity": lambda: keras.metrics.SpecificityAtSensitivity(0.5),
    "TopKCategoricalAccuracy": lambda: keras.metrics.TopKCategoricalAccuracy(2),
    "SparseTopKCategoricalAccuracy": lambda: keras.metrics.SparseTopKCategoricalAccuracy(2),
}


WHOLE_TARGETS = ("MeanIoU", "IoU", "Circle", "CategoricalGeneralizedCrossEntropy")
ONE_HOT_NAMES = ("F1Score", "FBetaScore", "Tversky", "Dice")
YES_OR_NO = (
    *("Binary", "AUC", "Positives", "Negatives", "Precision", "Recall", "Sensitivity"),
    *("Specificity", "Hinge"),
)


def _targets(name: str) -> tuple[Callable[[], keras.Model], np.ndarray]:
    """A model whose outputs suit a loss or a metric, and its targets."""
    yes = (CLASSES > 0).astype("float32")[:, None]
    if name == "CTC":
        build = lambda: keras.Sequential([keras.Input((5, 3)), L.Dense(4)])  # noqa: E731
        return build, RANDOM.randint(1, 3, size=(STEPS * BATCH, 2))
    if name.startswith("Sparse") or name in WHOLE_TARGETS:
        units, last, y = 3, "softmax", CLASSES
    elif "Categorical" in name or "OneHot" in name or name in ONE_HOT_NAMES:
        units, last, y = 3, "softmax", ONE_HOT
    elif any(part in name for part in YES_OR_NO):
        units, last, y = 1, "sigmoid", yes
    elif name in POSITIVE:
        units, last, y = 1, "softplus", np.abs(Y) + 0.5
    else:
        units, last, y = 1, "linear", Y

    def build() -> keras.Model:
        return keras.Sequential([keras.Input((4,)), L.Dense(5, "tanh"), L.Dense(units, last)])

    return build, y


def try_loss(name: str) -> Outcome:
    """What becomes of a loss."""
    if name in NO_LOSS:
        return Outcome("none", NO_LOSS[name])
    build, y = _targets(name)
    x = X["steps" if name == "CTC" else "flat"]
    return compare(
        build,
        lambda: {"x": x, "y": y, "batch_size": BATCH},
        lambda: {"optimizer": keras.optimizers.SGD(0.05), "loss": getattr(keras.losses, name)()},
    )


def try_metric(name: str) -> Outcome:
    """What becomes of a metric."""
    if name in NO_METRIC:
        return Outcome("none", NO_METRIC[name])
    build, y = _targets(name)
    make = MADE_METRICS.get(name) or getattr(keras.metrics, name)
    loss = "sparse_categorical_crossentropy" if y.dtype.kind == "i" and y.ndim == 1 else "mse"
    return compare(
        build,
        lambda: {"x": X["flat"], "y": y, "batch_size": BATCH},
        lambda: {"optimizer": keras.optimizers.SGD(0.05), "loss": loss, "metrics": [make()]},
    )


# Callbacks, on five epochs with validation, in a folder that is the working directory.
MADE_CALLBACKS: dict[str, Callable[[], Any]] = {
    "EarlyStopping": lambda: keras.callbacks.EarlyStopping(
        "loss", patience=1, restore_best_weights=True, min_delta=0.05
    ),
    "ReduceLROnPlateau": lambda: keras.callbacks.ReduceLROnPlateau(
        "loss", patience=0, min_delta=0.05
    ),
    "LearningRateScheduler": lambda: keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: rate * 0.5
    ),
    "ModelCheckpoint": lambda: keras.callbacks.ModelCheckpoint("model.keras"),
    "CSVLogger": lambda: keras.callbacks.CSVLogger("log.csv"),
    "BackupAndRestore": lambda: keras.callbacks.BackupAndRestore("backup"),
    "OrbaxCheckpoint": lambda: keras.callbacks.OrbaxCheckpoint("orbax"),
    "LambdaCallback": lambda: keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    "RemoteMonitor": lambda: keras.callbacks.RemoteMonitor("http://localhost:1"),
}


NO_CALLBACK = {
    "Callback": "the base of all callbacks: yours see logs [M]",
    "CallbackList": "what Keras makes of a list of callbacks",
}


def try_callback(name: str) -> Outcome:
    """What becomes of a callback."""
    if name in NO_CALLBACK:
        return Outcome("none", NO_CALLBACK[name])
    make = MADE_CALLBACKS.get(name) or getattr(keras.callbacks, name)

    return compare(
        dense_model,
        lambda: {"x": X["flat"], "y": Y, "batch_size": BATCH, "epochs": 5, "callbacks": [make()]},
        lambda: {"optimizer": keras.optimizers.SGD(0.3), "loss": "mse"},
    )


KINDS: dict[str, tuple[Any, type, Callable[[str], Outcome]]] = {
    "layer": (L, L.Layer, try_layer),
    "optimizer": (keras.optimizers, keras.optimizers.Optimizer, try_optimizer),
    "loss": (keras.losses, keras.losses.Loss, try_loss),
    "metric": (keras.metrics, keras.metrics.Metric, try_metric),
    "callback": (keras.callbacks, keras.callbacks.Callback, try_callback),
}


def everything() -> list[tuple[str, str]]:
    """(kind, name) of all that the installed Keras has."""
    return [
        (kind, name) for kind, (module, base, _) in KINDS.items() for name in public(module, base)
    ]


def attempt(kind: str, name: str) -> Outcome:
    """What becomes of one of them."""
    return KINDS[kind][2](name)
