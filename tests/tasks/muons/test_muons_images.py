"""Words and channels."""

import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.tasks.muons.images import pack, unpack


def test_bit_l_is_layer_l() -> None:
    words = np.zeros((8, 384), np.uint8)
    words[2, 5] = 0b100001
    channels = unpack(words)
    assert channels.shape == (8, 384, 6) and channels.dtype == np.uint8
    assert channels[2, 5].tolist() == [1, 0, 0, 0, 0, 1] and channels.sum() == 2


def test_pack_inverts_unpack() -> None:
    words = np.random.default_rng(1).integers(0, 64, (3, 8, 384)).astype(np.uint8)
    assert np.array_equal(pack(unpack(words)), words)
    assert np.array_equal(pack(unpack(words).astype(np.float32)), words)


def test_what_cannot_be_an_image() -> None:
    with pytest.raises(DataError, match="must be bytes below 64, found uint8 up to 64"):
        unpack(np.full((8, 384), 64, np.uint8))
    with pytest.raises(DataError, match="must be bytes below 64, found int64 up to 1"):
        unpack(np.ones((8, 384), np.int64))
    with pytest.raises(DataError, match="must be 6 in the last axis, found the shape"):
        pack(np.zeros((8, 384, 5)))
    with pytest.raises(DataError, match="must hold nothing but 0 and 1"):
        pack(np.full((8, 384, 6), 2))
