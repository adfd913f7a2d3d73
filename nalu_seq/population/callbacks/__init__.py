"""What each callback sees while a population fits.

Your own callbacks and a `LambdaCallback` see the population as `model`, and logs of shape `[M]`.

Callbacks of Keras that decide (`EarlyStopping`, `ReduceLROnPlateau`, `LearningRateScheduler`,
`ModelCheckpoint`, `TerminateOnNaN`) act on each member as in a `fit` of that member alone: a copy
for each member sees it as `model`, and its logs as numbers. `EachMember` does so with any callback.

Callbacks of Keras that report (`CSVLogger`, `RemoteMonitor`) get the median over the members whose
value is a number.

All other callbacks of Keras are refused by name.
"""

from nalu_seq.population.callbacks.best_member import BestMember
from nalu_seq.population.callbacks.callback_list import CallbackList, make_callback_list, per_member
from nalu_seq.population.callbacks.each_member import EachMember
from nalu_seq.population.callbacks.history import History, Progress
from nalu_seq.population.callbacks.median import Median, median
from nalu_seq.population.callbacks.member import Member, Optimizers

__all__ = [
    "BestMember",
    "CallbackList",
    "EachMember",
    "History",
    "Median",
    "Member",
    "Optimizers",
    "Progress",
    "make_callback_list",
    "median",
    "per_member",
]
