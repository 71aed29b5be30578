"""The tables of the games application: what players did, and what is known of the games."""

from __future__ import annotations

from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema

OWNING = ("purchase", "play", "review")
"""Events which say that the player has the game."""

FREE = (
    "free", "free to play", "free to use", "free mod", "free demo", "free movie", "play for free!",
)  # fmt: skip
"""What stands for a price of nothing in Steam's lists."""

INTERACTIONS = Schema(
    name="interactions",
    columns=(
        Column(
            name="user_id",
            type=ColumnType.STRING,
            aliases=("user", "userid", "player", "player_id", "steamid"),
            privacy=Privacy.PERSONAL,
        ),
        Column(
            name="title",
            type=ColumnType.STRING,
            required=False,
            nullable=True,
            aliases=("game", "name", "item", "app_name"),
            references=Reference(table="catalogue", column="name", by_slug=True),
        ),
        Column(
            name="item_id",
            type=ColumnType.STRING,
            required=False,
            nullable=True,
            aliases=("itemid", "app_id", "appid", "product_id"),
            references=Reference(table="catalogue", column="item_id"),
        ),
        Column(
            name="game_id",  # the API's own id: a slug of the title
            type=ColumnType.STRING,
            required=False,
            nullable=True,
        ),
        Column(
            name="event",
            type=ColumnType.STRING,
            required=False,  # without this column each row says that the player has the game
            aliases=("behavior", "behaviour", "action", "type", "event_type"),
            allowed=("purchase", "play", "review", "impression", "click", "dislike"),
        ),
        Column(
            name="value",  # hours of a play, 1 of a purchase: so it has no one unit
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            aliases=("hours", "playtime"),
            minimum=0.0,
        ),
        Column(
            name="recommend",
            type=ColumnType.BOOLEAN,
            required=False,
            nullable=True,
            aliases=("recommended",),
        ),
        Column(
            name="timestamp",
            type=ColumnType.TIMESTAMP,
            required=False,
            nullable=True,
            aliases=("date", "time", "ts"),
        ),
    ),
    key=(
        "user_id", "title", "item_id", "game_id", "event", "value", "recommend", "timestamp",
    ),
    one_of=(("title", "item_id", "game_id"),),
    headerless=("user_id", "title", "event", "value", ""),
)  # fmt: skip

CATALOGUE = Schema(
    name="catalogue",
    columns=(
        Column(
            name="item_id",
            type=ColumnType.STRING,
            aliases=("id", "itemid", "app_id", "appid", "product_id"),
        ),
        Column(
            # Of UCSD's two, app_name comes first: title is missing from 2,050 of 32,135 records.
            name="name",
            type=ColumnType.STRING,
            aliases=("app_name", "title", "game"),
        ),
        Column(name="genres", type=ColumnType.STRINGS, required=False, nullable=True,
               aliases=("genre",)),
        Column(name="tags", type=ColumnType.STRINGS, required=False, nullable=True,
               aliases=("tag",)),
        Column(name="platforms", type=ColumnType.STRINGS, required=False, nullable=True,
               aliases=("platform",)),
        Column(name="specs", type=ColumnType.STRINGS, required=False, nullable=True,
               aliases=("features",)),
        Column(name="developer", type=ColumnType.STRING, required=False, nullable=True,
               aliases=("developers",)),
        Column(name="publisher", type=ColumnType.STRING, required=False, nullable=True,
               aliases=("publishers",)),
        Column(
            name="price",
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            aliases=("price_usd",),
            minimum=0.0,
            unit="USD",
            lenient=True,  # "Third-party", "Play Now"
            spellings=dict.fromkeys(FREE, "0"),
        ),
        Column(
            name="release_date",
            type=ColumnType.TIMESTAMP,
            required=False,
            nullable=True,
            aliases=("released", "date"),
            lenient=True,  # "Coming Soon", "Q3 2018", "When it's done"
        ),
        Column(name="age_rating", type=ColumnType.NUMBER, required=False, nullable=True,
               aliases=("required_age", "min_age"), minimum=0.0, unit="years", lenient=True),
        Column(name="early_access", type=ColumnType.BOOLEAN, required=False, nullable=True),
    ),
    key=("item_id",),
)  # fmt: skip
