"""The demo's picture and animation are written and show something."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nowcast.pictures import Shown, animation, picture
from nowcast.replay import follow_locally
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Replay, files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.repository import Location

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=64, cells=3)


def replayed(folder: Path, count: int) -> Location:
    """The stores of a replay of so many scans; nowcasts of three leads by advection."""
    (folder / "scans").mkdir()
    for scan in STORM.scans(count):
        write(scan, folder / "scans" / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    region, settings = Region(name="here", leads=3, model="advection"), Settings(store=str(folder / "store"))
    feed = Replay(files_in(folder / "scans"))
    follow_locally(region, settings, feed, lambda taken, made: None, lambda: None)
    return settings.location("here")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Location:
    return replayed(tmp_path_factory.mktemp("pictures"), 7)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def colours(picture: np.ndarray) -> int:
    """Number of different colours that are not greys."""
    seen = np.unique(picture.reshape(-1, 3), axis=0).astype(int)
    return int((np.ptp(seen, axis=1) > 40).sum())


def test_picture_shows_rain(stores: Location, tmp_path: Path) -> None:
    """Nowcasts start from scans 1 .. 6; scan 3 is the newest all three leads of which have come true.

    Looked at: the newest scan and the nowcast above, what came true below, all left of the colour bar.
    """
    path = tmp_path / "nowcast.png"
    shown = picture(stores, "here", path, "Radar: nobody")
    assert shown.slot == 12 * 12 + 3
    assert shown.leads == (5, 10, 15)
    row, col = STORM.grid.locate(*shown.centre)
    assert STORM.coverage[row, col]
    shot = pixels(path)
    half, quarter = shot.shape[0] // 2, shot.shape[1] // 4
    assert colours(shot[:half, :quarter]) >= 3
    for row in (0, half):
        assert colours(shot[row : row + half, quarter : 2 * quarter]) >= 3


def test_animation_has_the_scans_before_and_a_frame_per_lead_and_moves(stores: Location, tmp_path: Path) -> None:
    """Twelve slots before the start, the start, and three leads."""
    path = tmp_path / "nowcast.gif"
    animation(
        stores,
        "here",
        Shown(12 * 12 + 3, (5, 10, 15), (60.0, 25.0), datetime(2026, 6, 1, tzinfo=UTC)),
        path,
        "Radar: nobody",
    )
    with Image.open(path) as image:
        assert image.n_frames == 16
        frames = []
        for number in (13, 15):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    assert all(colours(frame) >= 3 for frame in frames)
    height = frames[0].shape[0]
    on_the_map = slice(height // 5, 4 * height // 5)
    assert (np.abs(frames[0] - frames[1])[on_the_map].max(axis=-1) > 100).sum() > 100


def test_the_credit_is_on_the_picture(stores: Location, tmp_path: Path) -> None:
    for name, credit in (("with", "Radar: somebody"), ("without", "")):
        picture(stores, "here", tmp_path / f"{name}.png", credit)
    assert (pixels(tmp_path / "with.png") != pixels(tmp_path / "without.png")).any()


def test_one_nowcast_that_nothing_came_after_stands_beside_its_scan_alone(tmp_path: Path) -> None:
    shown = picture(replayed(tmp_path, 2), "here", tmp_path / "nowcast.png", "")
    assert shown.slot == 12 * 12 + 1
    with Image.open(tmp_path / "nowcast.png") as image:
        assert image.width > image.height
    assert colours(pixels(tmp_path / "nowcast.png")) >= 3
