"""Engines on PostgreSQL that notice a server that does not answer, within some twelve seconds.

===========================  =====================================================  =============
what does not answer         noticed by                                             after
===========================  =====================================================  =============
a new connection             ``connect_timeout``                                    5 s
the way there, while sent    ``tcp_user_timeout``: what we sent is not acknowledged 10 s
the way there, while idle    keepalives: three in a row are not acknowledged        11 s
a server that hangs behind   ``flyball.storage.patience``: silence, and a second    7 s
a proxy that goes on         connection comes to nothing either
===========================  =====================================================  =============

The kernel does the two in the middle; it cannot see the last, for the proxy acknowledges. A
statement that takes long on a server that is well is not ended, however long it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.errors import StorageUnavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

CONNECT_S = 5
"""How long a new connection may take."""

TIMES: dict[str, int] = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}
"""Parameters of libpq. What a URL says itself goes before."""


def times_of(url: URL) -> dict[str, int]:
    """Those of ``TIMES`` that the URL does not set itself."""
    return {name: value for name, value in TIMES.items() if name not in url.query}


def timed(url: str) -> str:
    """The URL with ``TIMES``, for those who open connections of their own by it.

    They notice what the kernel does, and not a server that hangs behind a proxy.
    """
    parsed = sa.make_url(url)
    more = {name: str(value) for name, value in times_of(parsed).items()}
    return parsed.update_query_dict(more).render_as_string(hide_password=False)


def engine_on(url: URL) -> Engine:
    """An engine on a PostgreSQL. Nothing is asked of it yet.

    Raises:
        StorageUnavailable: the driver is not installed.
    """
    try:
        from flyball.storage.patience import PatientConnection

        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=times_of(url))
    except ImportError:
        raise StorageUnavailable(
            "PostgreSQL needs a driver that is not installed; run `pip install 'flyball[postgres]'`"
        ) from None

    @sa.event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, given: list[Any], named: dict[str, Any]
    ) -> PatientConnection:
        return PatientConnection.opened(*given, **named)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(  # acknowledged means on disk, whatever the server's default is
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    return engine
