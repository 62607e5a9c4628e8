"""Moving digits, from made up images: every pixel where a reader expects it."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from mnist import dot, idx, mnist

from nowcast.training.moving_mnist import MovingMNIST, corners, drawn, open_split, read_images


def path_of(start: tuple[float, float], velocity: tuple[float, float], frames: int) -> list[list[int]]:
    """Top left pixels of one digit."""
    return corners(np.array([[start]]), np.array([[velocity]]), frames)[0, :, 0].tolist()


def test_a_digit_moves_straight_by_whole_pixels() -> None:
    assert path_of((0.0, 10.5), (3.0, -4.0), 3) == [[0, 10], [3, 6], [6, 2]]


def test_a_digit_stops_at_the_edge_and_turns_back() -> None:
    assert path_of((31.0, 7.0), (3.0, -4.0), 5) == [[31, 7], [34, 3], [36, 0], [33, 4], [30, 8]]


def test_digits_are_drawn_to_the_pixel_and_the_brighter_one_shows() -> None:
    images = np.stack([dot(200), dot(100)])[None]
    corner = np.array([[[[5, 7], [5, 7]], [[0, 0], [36, 36]]]])
    wanted = np.zeros((1, 2, 64, 64), np.uint8)
    wanted[0, 0, 5, 7] = wanted[0, 1, 0, 0] = 200
    wanted[0, 1, 36, 36] = 100
    np.testing.assert_array_equal(drawn(images, corner), wanted)


def test_a_digit_covers_its_28_rows_and_columns() -> None:
    images = np.arange(1, 785).reshape(1, 1, 28, 28).astype(np.uint8)
    frame = drawn(images, np.array([[[[2, 30]]]]))[0, 0]
    np.testing.assert_array_equal(frame[2:30, 30:58], images[0, 0])
    assert np.count_nonzero(frame) == np.count_nonzero(images)


def test_a_sequence_depends_on_seed_and_index_alone() -> None:
    images = np.stack([dot(value) for value in range(50, 250)])
    one, other = (MovingMNIST(images, 10, 2, seed) for seed in (1, 2))
    alone = one.sequences([7])[0]
    assert alone.shape == (20, 64, 64)
    np.testing.assert_array_equal(one.sequences([3, 7])[1], alone)
    assert (one.sequences([3])[0] != alone).any()
    assert (other.sequences([7])[0] != alone).any()


def test_a_digit_moves_by_three_to_five_pixels_per_frame() -> None:
    """Positions are cut to whole pixels, which adds or takes at most the diagonal of one."""
    frames = MovingMNIST(dot()[None], 100, 1, 0).sequences(range(100)).reshape(100, 20, -1)
    places = np.stack(np.divmod(frames.argmax(axis=-1), 64), axis=-1)
    assert places.max() == 36
    steps = np.hypot(*np.moveaxis(np.diff(places, axis=1), -1, 0))
    assert 3.0 < np.median(steps) < 5.0
    assert steps.max() < 5.0 + 2**0.5


def test_a_sequence_that_is_not_in_the_set_is_refused() -> None:
    with pytest.raises(IndexError, match="no sequence 10, there are 10"):
        MovingMNIST(dot()[None], 10, 2, 0).sequences([10])


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \(1, 27, 28\)"):
        MovingMNIST(np.zeros((1, 27, 28), np.uint8), 1, 1, 0)


def test_training_and_validation_share_no_digit_and_test_digits_are_others(tmp_path: Path) -> None:
    sets = {name: open_split(mnist(tmp_path), name) for name in ("train", "validation", "test", "three digits")}
    seen = {name: sorted(np.unique(one.images).tolist()) for name, one in sets.items()}
    assert seen["train"] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert seen["validation"] == [110, 120]
    assert seen["test"] == seen["three digits"] == [0, 200]
    assert [one.count for one in sets.values()] == [10_000, 2_000, 3_000, 3_000]


def test_three_digits_are_three(tmp_path: Path) -> None:
    """The dots of some sequence are apart."""
    frames = {name: open_split(mnist(tmp_path), name).sequences(range(20)) for name in ("test", "three digits")}
    dots = {name: int(np.count_nonzero(found, axis=(2, 3)).max()) for name, found in frames.items()}
    assert dots == {"test": 2, "three digits": 3}


GOOD = gzip.compress(idx(np.zeros((2, 28, 28))))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing"),
        (b"", "no IDX images"),
        (b"not gzip", "no gzip file"),
        (GOOD[:-20], "truncated"),
        (gzip.compress(b"short"), "no IDX images"),
        (gzip.compress(idx(np.zeros((2, 28, 28)), magic=2049)), "no IDX images"),
        (gzip.compress(idx(np.zeros((2, 28, 27)))), "no IDX images"),
        (gzip.compress(idx(np.zeros((2, 28, 28)))[:-1]), "should hold 2 images, but has 1567 bytes"),
    ],
    ids=["absent", "empty", "not gzip", "cut", "too short", "wrong magic", "wrong width", "an image short"],
)
def test_a_file_that_is_no_good_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "images.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"images.gz.*{reason}"):
        read_images(path)
