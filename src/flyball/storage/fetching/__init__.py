"""Getting data here: from files, web servers, S3, databases and the product's own events."""

from flyball.storage.fetching.fetched import Fetched
from flyball.storage.fetching.fetcher import Fetcher
from flyball.storage.fetching.retrying import Patience
from flyball.storage.fetching.shown import shown
from flyball.storage.fetching.spool import spool

__all__ = ["Fetched", "Fetcher", "Patience", "shown", "spool"]
