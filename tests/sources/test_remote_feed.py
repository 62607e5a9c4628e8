"""Feeds elsewhere, as centres lay them out, on servers of this machine: buckets, pages of links, KNMI's interface."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import boto3
import pytest
from bucket import new_bucket, s3_server
from radar import RADAR, needs_radar

from nowcast.ingest import Outcome, ingest, intake
from nowcast.settings import Region, Settings
from nowcast.sources.remote.feed import MOST_FAILURES, RemoteFeed
from nowcast.sources.remote.site import Refused
from nowcast.sources.remote.spec import RemoteSpec, site
from nowcast.sources.remote.spool import Spool

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOLD = "secret-key"


class Clock:
    """Seconds that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def feed(folder: Path, spec: RemoteSpec, now: datetime = NOON, clock: Clock | None = None) -> RemoteFeed:
    spool = Spool(folder / "spool", 1 << 30, 1 << 26)
    kept = {"patterns": (spec.pattern,), "every_s": 10.0, "now": lambda: now, "clock": clock or Clock()}
    return RemoteFeed(site(spec, TOLD), spool, **kept)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def put(s3: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Puts an object into a bucket of the test's own."""
    name = f"radar-{abs(hash(request.node.name)) % 10**8}"
    new_bucket(s3, name, monkeypatch)
    made = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    made.put_bucket_acl(Bucket=name, ACL="public-read")

    def one(key: str, body: bytes) -> str:
        made.put_object(Bucket=name, Key=key, Body=body, ACL="public-read")
        return name

    return one


def bucket(s3: str, name: str, **others: object) -> RemoteSpec:
    given = {"s3": name, "endpoint": s3, "prefix": "scans/{time:%Y%m%d}/", "signed": True} | others
    return RemoteSpec.model_validate(given)


class TestBucket:
    def test_new_and_changed_files_come_in_time_order_once(self, s3: str, put, tmp_path: Path) -> None:
        name = put("scans/20260601/scan_202606011155.bin", b"five to")
        put("scans/20260601/scan_202606011150.bin", b"ten to")
        put("scans/20260601/scan_202606010300.bin", b"of the night: too old")
        put("scans/20260601/readme.txt", b"no time in its name")
        clock = Clock()
        at = feed(tmp_path, bucket(s3, name), clock=clock)
        assert [path.read_bytes() for path in at.poll()] == [b"ten to", b"five to"]
        clock.seconds += 11
        assert at.poll() == []
        put("scans/20260601/scan_202606011155.bin", b"five to, better")
        clock.seconds += 11
        assert [path.read_bytes() for path in at.poll()] == [b"five to, better"]

    def test_the_process_after_this_one_does_not_fetch_again(self, s3: str, put, tmp_path: Path) -> None:
        """What lies in the spool may not have been taken in: it is handed out, as it is."""
        name = put("scans/20260601/scan_202606011155.bin", b"five to")
        first = feed(tmp_path, bucket(s3, name)).poll()
        again = feed(tmp_path, bucket(s3, name))
        again.site.fetch = None  # type: ignore[method-assign, assignment]
        assert again.poll() == first

    def test_a_name_over_a_thousand_keys_away_is_found(self, s3: str, put, tmp_path: Path) -> None:
        for k in range(1010):
            name = put(f"scans/20260601/a{k:04}_202606011000.bin", b"-")
        put("scans/20260601/b_202606011155.bin", b"the newest")
        at = feed(tmp_path, bucket(s3, name, pattern="b_*"))
        assert [path.read_bytes() for path in at.poll()] == [b"the newest"]

    def test_a_bucket_that_is_not_there_is_refused_by_name(
        self, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new_bucket(s3, "another", monkeypatch)
        with pytest.raises(Refused, match="s3://no-such-bucket at http.*: there is no such bucket"):
            feed(tmp_path, bucket(s3, "no-such-bucket")).require_allowed()

    def test_a_server_that_is_away_is_asked_less_and_less_often(self, tmp_path: Path) -> None:
        clock = Clock()
        at = feed(tmp_path, bucket("http://127.0.0.1:9", "radar"), clock=clock)
        asked = []
        at.site.listed = lambda *_: asked.append(clock.seconds) or _away()  # type: ignore[method-assign, func-returns-value]
        for second in range(40):
            clock.seconds = float(second)
            with pytest.raises(OSError, match="away"):
                at.poll()
        assert asked == [0.0, 5.0, 15.0, 35.0]


def _away() -> list[object]:
    raise OSError("away")


@contextmanager
def pages(answers: dict[str, bytes], key: str = "") -> Iterator[str]:
    """A server that knows these paths; without the key, where one is wanted, it answers 403."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            status = 404 if path not in answers else 403 if key and self.headers.get("Authorization") != key else 200
            if path.startswith("/open/"):
                status = 500 if self.headers.get("Authorization") else 200
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answers.get(path, b"") if status == 200 else b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class TestPages:
    def test_links_with_a_time_are_fetched_and_no_other(self, tmp_path: Path) -> None:
        answers = {
            "/ry/": b"""<pre><a href="../">up</a>
                <a href="raa01-ry_10000-2606011150-dwd---bin.bz2">a</a> 01-Jun-2026 11:52 4
                <a href="raa01-ry_10000-latest-dwd---bin.bz2">a</a>
                <a href="http://elsewhere/raa01-ry_10000-2606011155-dwd---bin.bz2">a</a></pre>""",
            "/ry/raa01-ry_10000-2606011150-dwd---bin.bz2": b"RADOLAN",
        }
        with pages(answers) as url:
            spec = RemoteSpec.model_validate({"from": "dwd", "http": f"{url}/ry/"})
            found = feed(tmp_path, spec).poll()
        assert [(path.name, path.read_bytes()) for path in found] == [
            ("raa01-ry_10000-2606011150-dwd---bin.bz2", b"RADOLAN")
        ]

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pages({}) as url, pytest.raises(Refused, match="HTTP 404, it is not there: look for the folder"):
            feed(tmp_path, RemoteSpec.model_validate({"http": f"{url}/ry/"})).require_allowed()


class TestFileApi:
    NAME = "RAD_NL25_PCP_NA_202606011155.h5"

    def answers(self, size: int) -> dict[str, bytes]:
        base = f"{urlsplit(str(RemoteSpec.model_validate({'from': 'knmi'}).api)).path}/files"
        listed = {"files": [{"filename": self.NAME, "size": size, "lastModified": "x"}], "isTruncated": False}
        return {base: json.dumps(listed).encode(), f"/open/{self.NAME}": b"HDF5"}

    def address(self, url: str) -> bytes:
        """Where the file lies for a while."""
        return json.dumps({"temporaryDownloadUrl": f"{url}/open/{self.NAME}"}).encode()

    def test_the_key_is_told_to_the_interface_and_not_to_the_temporary_address(self, tmp_path: Path) -> None:
        answers = self.answers(4)
        with pages(answers, TOLD) as url:
            (base,) = (path for path in answers if path.endswith("/files"))
            answers[f"{base}/{self.NAME}/url"] = json.dumps(
                {"temporaryDownloadUrl": f"{url}/open/{self.NAME}"}
            ).encode()
            found = feed(tmp_path, RemoteSpec.model_validate({"from": "knmi", "endpoint": url})).poll()
        assert [path.read_bytes() for path in found] == [b"HDF5"]

    def test_a_file_that_comes_short_is_not_handed_out_and_tried_again(self, tmp_path: Path) -> None:
        answers, clock = self.answers(5), Clock()
        with pages(answers, TOLD) as url:
            (base,) = (path for path in answers if path.endswith("/files"))
            answers[f"{base}/{self.NAME}/url"] = json.dumps(
                {"temporaryDownloadUrl": f"{url}/open/{self.NAME}"}
            ).encode()
            at = feed(tmp_path, RemoteSpec.model_validate({"from": "knmi", "endpoint": url}), clock=clock)
            assert at.poll() == []
            assert list((tmp_path / "spool").glob("*.h5")) == []
            answers[f"/open/{self.NAME}"] = b"HDF5!"
            clock.seconds += 11
            assert [path.read_bytes() for path in at.poll()] == [b"HDF5!"]

    def test_a_wrong_key_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        with pages(self.answers(4), "another key") as url, pytest.raises(Refused, match="key in KNMI_API_KEY") as told:
            feed(tmp_path, RemoteSpec.model_validate({"from": "knmi", "endpoint": url})).require_allowed()
        assert TOLD not in str(told.value)


def test_a_place_with_trouble_is_left_after_some_files(tmp_path: Path) -> None:
    links = "".join(f'<a href="s_2026060111{minute:02}.h5">x</a>' for minute in range(0, 60, 5))
    asked = []
    with pages({"/": links.encode()}) as url:
        at = feed(tmp_path, RemoteSpec.model_validate({"http": f"{url}/"}))
        fetch = at.site.fetch
        at.site.fetch = lambda one: asked.append(one.name) or fetch(one)  # type: ignore[method-assign, func-returns-value]
        assert at.poll() == []
    assert len(asked) == MOST_FAILURES


REAL = {
    "mrms": (
        "mrms/20190610",
        "*.grib2",
        datetime(2019, 6, 10, 0, 30, tzinfo=UTC),
        lambda moment: f"CONUS/PrecipRate_00.00/{moment:%Y%m%d}/MRMS_PrecipRate_00.00_{moment:%Y%m%d-%H%M%S}.grib2.gz",
        timedelta(minutes=2),
    ),
    "opera": (
        "opera/20180824",
        "*.hdf",
        datetime(2018, 8, 24, 19, tzinfo=UTC),
        lambda moment: f"{moment:%Y/%m/%d}/OPERA/COMP/OPERA@{moment:%Y%m%dT%H%M}@0@DBZH.h5",
        timedelta(minutes=15),
    ),
}
"""Folder, glob, the time of the test, real keys, cadence."""


@needs_radar
@pytest.mark.parametrize("name", REAL)
def test_real_files_under_real_keys_become_an_archive(name: str, s3: str, put, tmp_path: Path) -> None:
    folder, glob, now, key, cadence = REAL[name]
    paths = sorted((RADAR / folder).glob(glob))[:2]
    start = now.replace(minute=0) - (timedelta(hours=1) if name == "opera" else timedelta(0))
    for k, path in enumerate(paths):
        body = path.read_bytes()
        where = put(key(start + k * cadence), gzip.compress(body, 1) if name == "mrms" else body)
    spec = RemoteSpec.model_validate({"from": name, "s3": where, "endpoint": s3, "signed": True})
    settings, region = Settings(store=str(tmp_path / "store")), Region(name=name, cadence=cadence)
    found = feed(tmp_path, spec, now).poll()
    taken = [ingest(intake(region, settings), path, now) for path in found]
    assert [one.outcome for one in taken] == [Outcome.STORED] * 2, taken
