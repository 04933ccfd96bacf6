"""What a piece of an image costs a network that is trained on it.

For the training process only: TensorFlow is imported when the function is called, after
:func:`trigger_ml.keras2.bind_keras`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from trigger_ml.check.segmentation import MATCH
from trigger_ml.tasks.muons.chamber import PARTITIONS
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe

__all__ = ["piece_loss"]

MOST_TRUE: Final = 32
"""True cells of a piece that are looked at, the highest; a muon has four on average."""


def piece_loss(recipe: SegmenterRecipe) -> Callable[[Any, Any], Any]:
    """The loss of a batch: from true cells and logits, (batch, 8, width, 1), to (batch,).

    It follows what a segmenter is judged by. Marked cells that are not true are counted one by
    one, but an image is matched or not: of the true cells those count that a match needs, the
    ones nearest to being marked. And an empty chamber fires or not: of a piece without a true
    cell the highest one counts above all. Cells outside the margins do not count.
    """
    import tensorflow as tf

    training, margin = recipe.training, recipe.crops.margin
    end = recipe.crops.width - margin
    counted = PARTITIONS * (end - margin)
    ranks = tf.range(min(MOST_TRUE, counted), dtype=tf.float32)

    def loss(true: Any, logits: Any) -> Any:
        true = true[:, :, margin:end, 0]
        scaled = training.logit_scale * logits[:, :, margin:end, 0]
        number = tf.reduce_sum(true, axis=(1, 2))[:, None]
        fakes = tf.reduce_sum((1.0 - true) * tf.nn.softplus(scaled), axis=(1, 2))
        highest = tf.nn.softplus(tf.reduce_max(scaled, axis=(1, 2)))
        cells = tf.reshape(tf.where(true > 0, scaled, scaled.dtype.min), (-1, counted))
        best, _ = tf.math.top_k(cells, len(ranks))
        weight = tf.where(ranks <= tf.floor(MATCH * number), 1.0, training.rest_weight)
        # Where there is no such cell, a zero keeps the smallest float out of the gradient.
        missed = tf.nn.softplus(-tf.where(ranks < number, best, 0.0))
        found = tf.reduce_sum(tf.where(ranks < number, weight * missed, 0.0), axis=1)
        empty = tf.cast(number[:, 0] == 0, tf.float32)
        return fakes + training.true_weight * found + training.empty_weight * empty * highest

    return loss
