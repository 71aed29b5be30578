"""Dataset versions in S3: whole or not there, on two real servers, over a network that fails."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bad_network import BadNetwork, bad_network
from dataset_home import Home, plays
from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.storage import s3_client
from flyball.storage.objects import md5_of
from flyball.storage.s3_remote import S3Remote
from s3_servers import Bucket

ROWS = plays(("ada", "portal", 1.0), ("bob", "braid", 2.0))
PART = 5 << 20
LARGE = os.urandom(2 * PART + 12_345)
"""Three parts."""


@pytest.fixture
def home(tmp_path: Path, s3_bucket: Bucket) -> Iterator[Home]:
    made = Home(tmp_path / "home", remote=f"{s3_bucket.url}/shared")
    yield made
    made.close()


@pytest.fixture
def network(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadNetwork]:
    """A bad network before the server; the product knows only its address."""
    with bad_network(s3_bucket.server.endpoint) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between


@pytest.fixture
def remote(s3_bucket: Bucket) -> S3Remote:
    """With little patience."""
    connect = partial(s3_client.client, attempts=2, read_timeout_s=3.0)
    return S3Remote(s3_bucket.name, "shared", connect, PART)


@pytest.fixture
def large(tmp_path: Path) -> tuple[Path, str]:
    """A file of three parts, and its hash."""
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path, md5_of(path)


class TestAVersion:
    def test_goes_there_and_comes_back_elsewhere(self, home, s3_bucket, tmp_path):
        """Another home needs the bucket and the hash alone; the bytes are the same."""
        version = home.add("monday", ROWS)
        assert s3_bucket.keys() == []
        done = home.flyball.data.push("games")
        assert done.objects == 5
        assert home.flyball.data.push("games").objects == 0
        other = Home(tmp_path / "other", remote=home.remote)
        assert other.flyball.data.pull("games", version.version).objects == 3
        other.flyball.data.checkout("games", version.version)
        assert other.laid_out() == home.laid_out()
        other.close()

    def test_lies_there_as_dvc_lays_it_out(self, home, s3_bucket):
        """So that ``dvc pull`` with dvc-s3 finds it."""
        version = home.add("monday", ROWS)
        home.flyball.data.push("games")
        for md5 in version.files.values():
            content = s3_bucket.get(f"shared/files/md5/{md5[:2]}/{md5[2:]}")
            assert hashlib.md5(content).hexdigest() == md5
        listing = f"shared/files/md5/{version.version[:2]}/{version.version[2:]}.dir"
        assert listing in {*s3_bucket.keys()}
        assert f"url = {home.remote}" in (home.folder / ".dvc" / "config").read_text()

    def test_a_bucket_that_is_not_there_is_said(self, tmp_path, s3_server):
        home = Home(tmp_path / "home", remote="s3://no-such-bucket-here/x")
        home.add("monday", ROWS)
        with pytest.raises(NotFound, match="no-such-bucket-here"):
            home.flyball.data.push("games")
        home.close()

    def test_what_is_not_there_is_said(self, home):
        home.add("monday", ROWS)
        with pytest.raises(NotFound, match="shared/files/md5"):
            home.flyball.data.pull("games", "0" * 32)

    def test_damaged_bytes_in_the_bucket_are_never_taken(self, home, s3_bucket):
        """Nor left under the name of the true ones; the next push repairs them."""
        version = home.add("monday", ROWS)
        home.flyball.data.push("games")
        md5 = next(iter(version.files.values()))
        s3_bucket.put(f"shared/files/md5/{md5[:2]}/{md5[2:]}", b"something else")
        path = home.store.path(md5)
        content = path.read_bytes()
        path.rename(path.with_name("aside"))
        with pytest.raises(ArtifactCorrupt, match="push it again"):
            home.flyball.data.pull("games")
        assert not path.exists()
        path.with_name("aside").rename(path)
        assert home.flyball.data.push("games").objects == 1
        assert s3_bucket.get(f"shared/files/md5/{md5[:2]}/{md5[2:]}") == content


class TestALargeFile:
    def test_goes_and_comes_in_parts(self, remote, large, tmp_path):
        path, md5 = large
        assert remote.upload(path, md5)
        assert not remote.upload(path, md5)
        remote.download(md5, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == LARGE

    @pytest.mark.parametrize("fault", ["cut", "corrupt"])
    def test_comes_whole_over_a_network_that_fails_in_passing(
        self, remote, large, network, tmp_path, fault
    ):
        path, md5 = large
        remote.upload(path, md5)
        network.fault, network.times = fault, 2
        remote.download(md5, tmp_path / "back")
        assert network.befallen == 2
        assert (tmp_path / "back").read_bytes() == LARGE

    def test_that_never_comes_whole_is_refused(self, remote, large, network, tmp_path):
        """Each attempt has a byte changed on its way."""
        path, md5 = large
        remote.upload(path, md5)
        network.fault, network.times = "corrupt", 1_000
        with pytest.raises((ArtifactCorrupt, StorageUnavailable)):
            remote.download(md5, tmp_path / "back")

    def test_a_server_that_falls_silent_is_given_up(self, remote, large, network):
        """Within the time that it may be silent, a few times over."""
        path, md5 = large
        network.fault, network.times, network.after = "hold", 1_000, 0
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            remote.upload(path, md5)

    def test_an_upload_that_is_cut_is_begun_again(self, remote, large, network, s3_bucket):
        path, md5 = large
        network.fault, network.times, network.after = "cut", 1, 0
        assert remote.upload(path, md5)
        assert network.befallen == 1
        assert s3_bucket.get(f"shared/files/md5/{md5[:2]}/{md5[2:]}") == LARGE

    def test_another_object_in_its_place_is_replaced(self, remote, large, s3_bucket):
        """Also one of the same size."""
        path, md5 = large
        key = f"shared/files/md5/{md5[:2]}/{md5[2:]}"
        s3_bucket.put(key, bytes(len(LARGE)))
        assert remote.upload(path, md5)
        assert s3_bucket.get(key) == LARGE
