"""A file from a web server arrives whole and unchanged, or is refused with a reason."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_web import Page, Web, web

from flyball.errors import DataQualityError, EnvironmentFailed, NotFound, StorageUnavailable
from flyball.storage.fetching import Fetcher, Patience

CONTENT = b"".join(b"%d,Portal,play,%d\n" % (row, row % 7) for row in range(4000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


class Waits(list[float]):
    """Pauses that were asked for; none is taken."""

    def patience(self, **changes: float) -> Patience:
        return Patience(wait=self.append, chance=lambda: 0.5, **changes)  # type: ignore[arg-type]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Waits()


@pytest.fixture
def fetcher(waits: Waits) -> Fetcher:
    return Fetcher(patience=waits.patience())


def fetched(fetcher: Fetcher, location: str, into: Path) -> bytes:
    (file,) = fetcher.fetch(location, into)
    assert file.path.parent == into
    return file.path.read_bytes()


class TestADownload:
    def test_arrives_whole(self, site: Web, fetcher: Fetcher, tmp_path: Path) -> None:
        site.pages["/plays.csv"] = Page(CONTENT)
        (file,) = fetcher.fetch(f"{site.url}/plays.csv?page=1&token=hush", tmp_path)
        assert file.path.read_bytes() == CONTENT
        assert file.path.name.endswith("plays.csv")
        assert file.name == f"{site.url}/plays.csv?page=1&token=***"

    def test_sent_without_a_length_arrives_whole(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, chunked=True)
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT

    @pytest.mark.parametrize("chunked", [False, True])
    def test_that_is_cut_goes_on_where_it_stopped(
        self, site: Web, fetcher: Fetcher, waits: Waits, tmp_path: Path, chunked: bool
    ) -> None:
        page = site.pages["/a"] = Page(CONTENT, cuts=[20_000, 0, 7], chunked=chunked)
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT
        ranges = [asked.get("Range") for asked in page.asked]
        assert ranges == [None, "bytes=20000-", "bytes=20000-", "bytes=20007-"]
        assert {asked["If-Range"] for asked in page.asked[1:]} == {'"one"'}
        assert waits == [0.375, 0.75, 1.5]  # doubling, a random part of it

    def test_cut_after_its_last_byte_is_complete(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, chunked=True, cuts=[len(CONTENT)])
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT

    @pytest.mark.parametrize("changes", [{"ranges": False}, {"etag": None}, {"etag": 'W/"one"'}])
    def test_that_cannot_be_resumed_starts_anew(
        self, site: Web, fetcher: Fetcher, tmp_path: Path, changes: dict[str, object]
    ) -> None:
        site.pages["/a"] = Page(CONTENT, cuts=[20_000, 30_000], **changes)  # type: ignore[arg-type]
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT

    def test_never_mixes_two_contents(self, site: Web, fetcher: Fetcher, tmp_path: Path) -> None:
        """The file is replaced on the server between two attempts."""
        new = CONTENT.replace(b"Portal", b"Dota 2")
        site.pages["/a"] = Page(CONTENT, cuts=[20_000], then=Page(new, etag='"two"'))
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == new

    def test_of_a_file_that_became_shorter_is_the_new_one(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, cuts=[20_000], then=Page(CONTENT[:10_000]))
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT[:10_000]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_is_asked_for_again_when_the_server_is_busy(
        self, site: Web, fetcher: Fetcher, waits: Waits, tmp_path: Path, status: int
    ) -> None:
        site.pages["/a"] = Page(CONTENT, statuses=[status], headers={"Retry-After": "7"})
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT
        assert waits == [7.0]

    def test_of_something_large_outlives_many_cuts(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        """Cuts count only where nothing much came between them."""
        content = CONTENT * 150
        part = len(content) // 8
        assert part > 1 << 20
        site.pages["/a"] = Page(content, cuts=[part] * 7)
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == content

    def test_follows_redirects(self, site: Web, fetcher: Fetcher, tmp_path: Path) -> None:
        site.pages["/old"] = Page(statuses=[302], headers={"Location": "/new"})
        site.pages["/new"] = Page(CONTENT)
        assert fetched(fetcher, f"{site.url}/old", tmp_path) == CONTENT


class TestABadDownload:
    def test_that_is_always_cut_is_given_up(
        self, site: Web, fetcher: Fetcher, waits: Waits, tmp_path: Path
    ) -> None:
        page = site.pages["/a"] = Page(CONTENT, cuts=[10] * 99)
        with pytest.raises(EnvironmentFailed, match=r"/a could not be fetched in 5 attempts; .*"):
            fetcher.fetch(f"{site.url}/a", tmp_path)
        assert (len(page.asked), len(waits)) == (5, 4)

    def test_that_is_cut_late_and_never_resumed_is_given_up(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        """Much comes each time, and it is always the same."""
        content = CONTENT * 30
        page = site.pages["/a"] = Page(content, etag=None, cuts=[len(content) - 1] * 99)
        with pytest.raises(EnvironmentFailed, match="could not be fetched in"):
            fetcher.fetch(f"{site.url}/a", tmp_path)
        assert len(page.asked) <= 6

    def test_shorter_than_announced_is_refused(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, ranges=False, length=len(CONTENT) + 5)
        with pytest.raises(EnvironmentFailed, match=f"{len(CONTENT)} bytes, expected"):
            fetcher.fetch(f"{site.url}/a", tmp_path)

    def test_larger_than_the_disk_is_refused_at_once(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        page = site.pages["/a"] = Page(CONTENT, length=1 << 60)
        with pytest.raises(StorageUnavailable, match="free some space"):
            fetcher.fetch(f"{site.url}/a", tmp_path)
        assert len(page.asked) == 1

    def test_whose_server_falls_silent_is_given_up(
        self, site: Web, waits: Waits, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, stalls=True)
        fetcher = Fetcher(patience=waits.patience(silence_s=0.05, attempts=2))  # type: ignore[arg-type]
        with pytest.raises(EnvironmentFailed, match=r"in 2 attempts.*silent"):
            fetcher.fetch(f"{site.url}/a", tmp_path)

    def test_that_trickles_is_given_up(self, site: Web, waits: Waits, tmp_path: Path) -> None:
        """Each read brings something, and all of them next to nothing."""
        site.pages["/a"] = Page(CONTENT[:5000], etag=None)
        minutes = itertools.count(0, 61)
        patience = Patience(wait=waits.append, monotonic=lambda: next(minutes), attempts=3)
        with pytest.raises(EnvironmentFailed, match=r"in 3 attempts.*bytes came in 61 s"):
            Fetcher(patience=patience).fetch(f"{site.url}/a", tmp_path)

    def test_that_is_not_there_is_not_found(
        self, site: Web, fetcher: Fetcher, waits: Waits, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFound, match="/a is not there: the server answered 404"):
            fetcher.fetch(f"{site.url}/a", tmp_path)
        assert waits == []

    @pytest.mark.parametrize("status", [401, 403])
    def test_that_is_forbidden_says_how_to_name_the_user(
        self, site: Web, fetcher: Fetcher, tmp_path: Path, status: int
    ) -> None:
        site.pages["/a"] = Page(CONTENT, statuses=[status])
        address = site.url.replace("://", "://me:wrong-password@")
        with pytest.raises(EnvironmentFailed, match="user and password") as caught:
            fetcher.fetch(f"{address}/a", tmp_path)
        assert "wrong-password" not in str(caught.value)
        assert site.pages["/a"].asked[0]["Authorization"].startswith("Basic ")

    @pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/a", "/a"])
    def test_that_leads_elsewhere_or_nowhere_is_refused(
        self, site: Web, fetcher: Fetcher, tmp_path: Path, to: str
    ) -> None:
        site.pages["/a"] = Page(statuses=[302] * 99, headers={"Location": to})
        with pytest.raises(EnvironmentFailed, match=r"only http and https|without end"):
            fetcher.fetch(f"{site.url}/a", tmp_path)

    def test_of_a_server_that_is_down_is_given_up(
        self, site: Web, fetcher: Fetcher, waits: Waits, tmp_path: Path
    ) -> None:
        with web() as gone:
            pass
        with pytest.raises(EnvironmentFailed, match="in 5 attempts"):
            fetcher.fetch(f"{gone.url}/a", tmp_path)

    def test_in_an_encoding_that_nobody_asked_for_is_refused(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(CONTENT, headers={"Content-Encoding": "br"})
        with pytest.raises(EnvironmentFailed, match="'br'"):
            fetcher.fetch(f"{site.url}/a", tmp_path)


def base64_of(algorithm: str, content: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


DIGESTS = {
    "Content-MD5": lambda content: base64_of("md5", content),
    "Digest": lambda content: f"sha-256={base64_of('sha256', content)}",
    "Repr-Digest": lambda content: f"sha-512=:{base64_of('sha512', content)}:",
}


class TestADigest:
    def test_in_the_location_is_held_against_the_file(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        page = site.pages["/a"] = Page(CONTENT)
        assert fetched(fetcher, f"{site.url}/a#sha256={SHA256}", tmp_path) == CONTENT
        with pytest.raises(DataQualityError, match=f"has the SHA-256 {SHA256}, not the {'0' * 64}"):
            fetcher.fetch(f"{site.url}/a#sha256={'0' * 64}", tmp_path)
        assert len(page.asked) == 3  # damage on the way gets a second chance

    def test_in_the_location_mends_damage_on_the_way(
        self, site: Web, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        site.pages["/a"] = Page(b"x" + CONTENT[1:], then=Page(CONTENT))
        assert fetched(fetcher, f"{site.url}/a#sha256={SHA256}", tmp_path) == CONTENT

    @pytest.mark.parametrize("header", DIGESTS)
    def test_that_the_server_sends_is_checked(
        self, site: Web, fetcher: Fetcher, tmp_path: Path, header: str
    ) -> None:
        headers = {header: DIGESTS[header](CONTENT)}
        site.pages["/a"] = Page(b"x" + CONTENT[1:], headers=headers, then=Page(CONTENT))
        assert fetched(fetcher, f"{site.url}/a", tmp_path) == CONTENT
        site.pages["/a"] = Page(b"x" + CONTENT[1:], headers=headers)
        with pytest.raises(EnvironmentFailed, match=r"what arrived has the (md5|sha256|sha512)"):
            fetcher.fetch(f"{site.url}/a", tmp_path)
