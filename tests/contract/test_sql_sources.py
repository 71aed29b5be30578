"""Rows of a query keep their values and types, from two real databases that never change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flyball.errors import (
    DataQualityError,
    EnvironmentFailed,
    FlyballError,
    InvalidRequest,
    NotFound,
)
from flyball.storage.fetching import Fetcher, Patience
from flyball.storage.fetching.sql import single_statement

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FETCHER = Fetcher(patience=Patience(wait=lambda _: None))


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with a table ``plays`` of 120,000 rows and a table ``odd``."""
    url = f"sqlite:///{tmp_path / 'shop 1.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("new_postgresql")(empty=True)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        _fill(connection, "postgresql" if request.param == "postgresql" else "sqlite")
    engine.dispose()
    return url


def _fill(connection: sa.Connection, dialect: str) -> None:
    """The database makes its rows itself, which is quick."""
    raw = "BYTEA" if dialect == "postgresql" else "BLOB"
    for statement in (
        "CREATE TABLE plays (user_id BIGINT, title TEXT, hours DOUBLE PRECISION, late TEXT)",
        "INSERT INTO plays WITH RECURSIVE numbers(n) AS "
        "(SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 119999) "
        "SELECT n, '100% ''fun'' ' || (n % 9), n / 4.0, "
        "CASE n WHEN 110000 THEN 'no longer null' END FROM numbers",
        f"CREATE TABLE odd (whole INTEGER, raw {raw})",
    ):
        connection.execution_options(no_parameters=True).exec_driver_sql(statement)
    connection.execute(sa.text("INSERT INTO odd VALUES (1, :raw)"), {"raw": b"\x00\x01"})


def rows(location: str, into: Path) -> pl.DataFrame:
    into = into / "fetched"
    into.mkdir(exist_ok=True)
    (file,) = FETCHER.fetch(location, into)
    assert list(into.iterdir()) == [file.path]  # no parts are left
    frame = pl.read_ipc(file.path)
    file.path.unlink()
    return frame


class TestAQuery:
    def test_gives_every_row_with_its_types(self, shop: str, tmp_path: Path) -> None:
        """Also a column that has its first value after two batches."""
        frame = rows(f"{shop}#SELECT * FROM plays ORDER BY user_id;", tmp_path)
        assert frame.height == 120_000
        assert dict(frame.schema) == {
            "user_id": pl.Int64(),
            "title": pl.String(),
            "hours": pl.Float64(),
            "late": pl.String(),
        }
        assert frame["user_id"].to_list() == list(range(120_000))
        assert frame["late"].drop_nulls().to_list() == ["no longer null"]
        assert frame.row(7) == (7, "100% 'fun' 7", 1.75, None)

    def test_may_hold_percent_signs_colons_and_quoted_semicolons(
        self, shop: str, tmp_path: Path
    ) -> None:
        select = "SELECT ':a;b' AS odd, title FROM plays WHERE title LIKE '100%8' AND user_id < 20"
        frame = rows(f"{shop}#{select}", tmp_path)
        assert frame.rows() == [(":a;b", "100% 'fun' 8"), (":a;b", "100% 'fun' 8")]

    def test_without_rows_still_has_its_columns(self, shop: str, tmp_path: Path) -> None:
        frame = rows(f"{shop}#SELECT title, user_id FROM plays WHERE user_id < 0", tmp_path)
        assert (frame.columns, frame.height) == (["title", "user_id"], 0)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM plays",
            "SELECT 1; DELETE FROM plays",
            "SELECT 1 /* */; COMMIT; DELETE FROM plays",
            r"SELECT E'\''; DELETE FROM plays --'",
            r"SELECT 'a\'' ; DELETE FROM plays ; --'",
            "SELECT $$ ' $$; DELETE FROM plays; SELECT $$ ' $$",
            "WITH gone AS (DELETE FROM plays RETURNING 1) SELECT * FROM gone",
            "",
        ],
    )
    def test_that_would_change_something_is_refused(
        self, shop: str, tmp_path: Path, statement: str
    ) -> None:
        with pytest.raises(FlyballError):
            rows(f"{shop}#{statement}", tmp_path)
        assert rows(f"{shop}#SELECT count(*) AS n FROM plays", tmp_path)["n"].item() == 120_000

    def test_that_calls_what_writes_is_refused(
        self, new_postgresql: Callable[..., str], tmp_path: Path
    ) -> None:
        url = new_postgresql(empty=True)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (n int)")
            connection.exec_driver_sql(
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) "
                "RETURNING n'"
            )
        with pytest.raises(EnvironmentFailed, match="read-only transaction"):
            rows(f"{url}#SELECT f()", tmp_path)
        engine.dispose()

    def test_of_bytes_names_the_column(self, shop: str, tmp_path: Path) -> None:
        with pytest.raises(DataQualityError, match="column 'raw' holds bytes"):
            rows(f"{shop}#SELECT whole, raw FROM odd", tmp_path)

    def test_with_two_columns_of_one_name_is_refused(self, shop: str, tmp_path: Path) -> None:
        with pytest.raises(DataQualityError, match="more than one column called 'n'"):
            rows(f"{shop}#SELECT 1 AS n, 2 AS n", tmp_path)

    @pytest.mark.parametrize("select", ["SELECT nope FROM plays", "SELECT * FROM nope", "SELECT ("])
    def test_that_is_wrong_is_told_in_the_databases_words(
        self, shop: str, tmp_path: Path, select: str
    ) -> None:
        with pytest.raises(EnvironmentFailed, match=r"nope|syntax|incomplete"):
            rows(f"{shop}#{select}", tmp_path)


class TestPostgresql:
    def test_keeps_times_dates_numbers_lists_and_objects(
        self, new_postgresql: Callable[..., str], tmp_path: Path
    ) -> None:
        select = (
            "SELECT 1.5::numeric AS price, DATE '2026-01-01' AS day, NULL::date AS none, "
            "TIMESTAMPTZ '2026-01-01 14:00+02' AS at, TIMESTAMP '2026-01-01 12:00' AS local, "
            "true AS yes, ARRAY['a','b'] AS tags, '{\"a\": 1}'::jsonb AS item, "
            "'00000000-0000-0000-0000-000000000001'::uuid AS id, 9223372036854775807 AS large, "
            "INTERVAL '90 s' AS lasted"
        )
        frame = rows(f"{new_postgresql(empty=True)}#{select}", tmp_path)
        assert frame.to_dicts() == [
            {
                "price": 1.5,
                "day": date(2026, 1, 1),
                "none": None,
                "at": NOON,
                "local": NOON.replace(tzinfo=None),
                "yes": True,
                "tags": '["a", "b"]',
                "item": '{"a": 1}',
                "id": "00000000-0000-0000-0000-000000000001",
                "large": 2**63 - 1,
                "lasted": "90.0",
            }
        ]

    def test_does_not_tell_its_password(
        self, new_postgresql: Callable[..., str], tmp_path: Path
    ) -> None:
        url = sa.make_url(new_postgresql(empty=True)).set(database="nope", password="hush-hush")
        location = url.render_as_string(hide_password=False)
        with pytest.raises(EnvironmentFailed, match="does not exist") as caught:
            rows(f"{location}#SELECT 1", tmp_path)
        assert "hush" not in str(caught.value)

    def test_that_breaks_off_is_asked_again_and_then_reported(
        self, new_postgresql: Callable[..., str], tmp_path: Path
    ) -> None:
        url, waits = new_postgresql(empty=True), list[float]()
        fetcher = Fetcher(patience=Patience(wait=waits.append, attempts=3))
        select = "SELECT pg_terminate_backend(pg_backend_pid())"
        with pytest.raises(EnvironmentFailed, match=r"in 3 attempts.*broke off"):
            fetcher.fetch(f"{url}#{select}", tmp_path)
        assert len(waits) == 2
        assert list(tmp_path.iterdir()) == []

    def test_that_is_not_there_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFailed, match=r"refused|No such file"):
            rows("postgresql+psycopg://me@127.0.0.1:1/shop#SELECT 1", tmp_path)


class TestSqlite:
    @pytest.mark.parametrize(
        ("values", "dtype", "kept"),
        [
            ([1, 2.5, None], pl.Float64(), [1.0, 2.5, None]),
            ([1, "a"], pl.String(), ["1", "a"]),
            ([None, None], pl.String(), [None, None]),
            ([2**62, None], pl.Int64(), [2**62, None]),
        ],
    )
    def test_may_mix_types_in_a_column_and_no_value_is_lost(
        self, tmp_path: Path, values: list[Any], dtype: pl.DataType, kept: list[Any]
    ) -> None:
        path = tmp_path / "mixed.sqlite"
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (v)")
            for value in values:
                connection.exec_driver_sql("INSERT INTO t VALUES (?)", (value,))
        frame = rows(f"sqlite:///{path}#SELECT v FROM t", tmp_path)
        engine.dispose()
        assert (frame["v"].dtype, frame["v"].to_list()) == (dtype, kept)

    def test_is_not_altered_by_a_byte(self, tmp_path: Path) -> None:
        path = tmp_path / "t.sqlite"
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t AS SELECT 1 AS n")
        engine.dispose()
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        assert rows(f"sqlite:///{path}#SELECT n FROM t", tmp_path)["n"].to_list() == [1]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == before
        assert sorted(each.name for each in tmp_path.iterdir()) == ["fetched", "t.sqlite"]

    def test_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"no SQLite database .*nope\.sqlite"):
            rows(f"sqlite:///{tmp_path / 'nope.sqlite'}#SELECT 1", tmp_path)
        assert not (tmp_path / "nope.sqlite").exists()

    def test_that_is_another_kind_of_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("user,title\n" * 100)
        with pytest.raises(EnvironmentFailed, match=r"no SQLite database|not a database"):
            rows(f"sqlite:///{tmp_path / 'a.csv'}#SELECT 1 FROM t", tmp_path)


@pytest.mark.parametrize(
    "location",
    ["sqlite://#SELECT 1", "sqlite:///:memory:#SELECT 1", "nonsense+x://h/d#SELECT 1"],
)
def test_what_no_driver_can_open_is_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidRequest, EnvironmentFailed)):
        rows(location, tmp_path)


def test_comments_and_brackets_may_come_first() -> None:
    assert single_statement(" -- of today\n(SELECT 1) ; ") == "-- of today\n(SELECT 1)"


def test_values_of_any_kind_are_kept_as_text_where_nothing_else_fits(tmp_path: Path) -> None:
    """Also times in several zones, and numbers that no 64-bit integer holds."""
    from flyball.storage.fetching.arrow import write_rows

    there = NOON.astimezone(timezone(timedelta(hours=2)))
    table = [(NOON, 2**80, Decimal("1.5"), {"a": 1}), (there, 1, 2, "b")]
    target = tmp_path / "a.arrow"
    assert write_rows(["at", "n", "price", "item"], [table], target, what="a test") == 2
    assert pl.read_ipc(target).rows() == [
        (NOON, str(2**80), 1.5, '{"a": 1}'),
        (NOON, "1", 2.0, "b"),
    ]
