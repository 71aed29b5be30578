"""Objects in S3 arrive whole and unchanged, from two real servers, or are refused with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bad_network import BadNetwork, bad_network
from flyball.errors import DataQualityError, EnvironmentFailed, InvalidRequest, NotFound
from flyball.storage.fetching import Fetcher, Patience
from s3_servers import Bucket

CONTENT = b"".join(b"%d,Portal,play,%d\n" % (row, row % 7) for row in range(30_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(waits: list[float]) -> Fetcher:
    return Fetcher(patience=Patience(wait=waits.append))


@pytest.fixture
def network(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadNetwork]:
    """A bad network before the server; the product knows only its address."""
    with bad_network(s3_bucket.server.endpoint) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between


class TestObjects:
    def test_arrive_whole(self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path) -> None:
        s3_bucket.put("in/plays.csv", CONTENT)
        (file,) = fetcher.fetch(f"{s3_bucket.url}/in/plays.csv", tmp_path)
        assert file.path.read_bytes() == CONTENT
        assert file.name == f"{s3_bucket.url}/in/plays.csv"
        assert file.path.parent == tmp_path

    def test_under_a_prefix_come_all_in_order(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        for key in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/_SUCCESS", "in/.x/d", "inn/e"):
            s3_bucket.put(key, key.encode())
        found = fetcher.fetch(f"{s3_bucket.url}/in/", tmp_path)
        assert [file.path.read_text() for file in found] == [
            "in/a.csv",
            "in/b.csv",
            "in/deep/c.csv",
        ]

    @pytest.mark.parametrize(
        ("pattern", "keys"),
        [
            ("in/*.csv", ["in/a.csv", "in/b.csv"]),
            ("in/**/*.csv", ["in/a.csv", "in/b.csv", "in/deep/c.csv"]),
            ("*/[!a].csv", ["in/b.csv"]),
            ("in/?.csv", ["in/a.csv", "in/b.csv"]),
        ],
    )
    def test_that_match_a_pattern_come(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path, pattern: str, keys: list[str]
    ) -> None:
        for key in ("in/a.csv", "in/b.csv", "in/deep/c.csv", "in/.h.csv", "in/a.json"):
            s3_bucket.put(key, key.encode())
        found = fetcher.fetch(f"{s3_bucket.url}/{pattern}", tmp_path)
        assert [file.path.read_text() for file in found] == keys

    def test_named_with_a_wildcard_are_found_by_their_name(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        s3_bucket.put("a[1].csv", b"this")
        s3_bucket.put("a1.csv", b"not this")
        (file,) = fetcher.fetch(f"{s3_bucket.url}/a[1].csv", tmp_path)
        assert file.path.read_bytes() == b"this"

    def test_that_are_not_there_are_not_found(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        s3_bucket.put("in/plays.csv", CONTENT)
        with pytest.raises(NotFound, match=r"did you mean 'in/plays\.csv'"):
            fetcher.fetch(f"{s3_bucket.url}/in/play.csv", tmp_path)
        with pytest.raises(NotFound, match="nothing matches"):
            fetcher.fetch(f"{s3_bucket.url}/in/*.json", tmp_path)
        with pytest.raises(DataQualityError, match="no object under"):
            fetcher.fetch(f"{s3_bucket.url}/out/", tmp_path)
        with pytest.raises(NotFound, match="no-such-bucket"):
            fetcher.fetch("s3://no-such-bucket/a.csv", tmp_path)

    def test_are_held_against_the_digest_in_the_location(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        s3_bucket.put("a.csv", CONTENT)
        assert fetcher.fetch(f"{s3_bucket.url}/a.csv#sha256={SHA256}", tmp_path)
        with pytest.raises(DataQualityError, match="SHA-256"):
            fetcher.fetch(f"{s3_bucket.url}/a.csv#sha256={'0' * 64}", tmp_path)

    def test_that_are_empty_arrive_empty(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        s3_bucket.put("a.csv", b"")
        (file,) = fetcher.fetch(f"{s3_bucket.url}/a.csv", tmp_path)
        assert file.path.read_bytes() == b""

    def test_with_wrong_credentials_say_what_to_check(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if s3_bucket.server.kind == "moto":
            pytest.skip("moto lets everybody in")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
        with pytest.raises(EnvironmentFailed, match=r"AWS_SECRET_ACCESS_KEY|credentials") as caught:
            fetcher.fetch(f"{s3_bucket.url}/a.csv", tmp_path)
        assert "another-secret" not in str(caught.value)

    def test_without_credentials_say_where_they_belong(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(EnvironmentFailed, match="AWS_ACCESS_KEY_ID"):
            fetcher.fetch(f"{s3_bucket.url}/a.csv", tmp_path)

    @pytest.mark.parametrize("location", ["s3://", "s3:///a.csv", "s3://id:secret@bucket/a.csv"])
    def test_of_no_bucket_are_refused(
        self, s3_bucket: Bucket, fetcher: Fetcher, tmp_path: Path, location: str
    ) -> None:
        with pytest.raises(InvalidRequest) as caught:
            fetcher.fetch(location, tmp_path)
        assert "secret@" not in str(caught.value)


class TestOnABadNetwork:
    @pytest.mark.parametrize("fault", ["cut", "corrupt", "hold", "refuse"])
    def test_objects_arrive_whole_all_the_same(
        self,
        s3_bucket: Bucket,
        network: BadNetwork,
        waits: list[float],
        tmp_path: Path,
        fault: str,
    ) -> None:
        s3_bucket.put("a.csv", CONTENT)
        network.fault, network.times = fault, 2  # type: ignore[assignment]
        # a busy machine is silent too: what is held back must not be all that counts
        patience = Patience(wait=waits.append, silence_s=1 if fault == "hold" else 30, attempts=20)
        (file,) = Fetcher(patience=patience).fetch(f"{s3_bucket.url}/a.csv", tmp_path)
        assert file.path.read_bytes() == CONTENT
        assert network.befallen == 2
        assert waits

    @pytest.mark.parametrize("fault", ["cut", "corrupt", "hold", "refuse"])
    def test_it_is_reported_in_the_end(
        self, s3_bucket: Bucket, network: BadNetwork, tmp_path: Path, fault: str
    ) -> None:
        s3_bucket.put("a.csv", CONTENT)
        network.fault, network.times, network.after = fault, 9999, 10_000  # type: ignore[assignment]
        silence_s = 0.5 if fault == "hold" else 30
        patience = Patience(wait=lambda _: None, silence_s=silence_s, attempts=3)
        location = f"{s3_bucket.url}/a.csv"
        with pytest.raises(EnvironmentFailed, match=f"{location} could not be fetched in 3 att"):
            Fetcher(patience=patience).fetch(location, tmp_path)

    def test_a_cut_object_goes_on_where_it_stopped(
        self, s3_bucket: Bucket, network: BadNetwork, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        """No more comes over the wire than the rest, each time."""
        s3_bucket.put("a.csv", CONTENT * 4)
        network.times, network.after = 3, len(CONTENT)
        (file,) = fetcher.fetch(f"{s3_bucket.url}/a.csv", tmp_path)
        assert file.path.read_bytes() == CONTENT * 4
        assert network.befallen == 3  # the rest after three cuts is too short for a fourth

    def test_an_object_replaced_meanwhile_is_never_mixed(
        self, s3_bucket: Bucket, network: BadNetwork, tmp_path: Path
    ) -> None:
        new = CONTENT.replace(b"Portal", b"Dota 2")
        s3_bucket.put("a.csv", CONTENT)
        network.times = 1
        patience = Patience(wait=lambda _: s3_bucket.put("a.csv", new), silence_s=30)
        (file,) = Fetcher(patience=patience).fetch(f"{s3_bucket.url}/a.csv", tmp_path)
        assert network.befallen == 1
        assert file.path.read_bytes() == new
