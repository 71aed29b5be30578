"""A FastAPI application as its tutorial writes it: pydantic models for request and response."""

from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.scoring import Best
from benchmarks.serving.worker import arguments, under_uvicorn


class Asked(BaseModel):
    """The request."""

    user_id: str
    k: int = 10


class Item(BaseModel):
    """A recommended game."""

    game_id: str
    title: str
    score: float


class Answer(BaseModel):
    """The answer."""

    items: list[Item]


def made(data: Path) -> FastAPI:
    """The application."""
    best = Best(data)
    app = FastAPI()

    @app.post("/v1/recommendations")
    async def recommend(asked: Asked) -> Answer:
        ids, titles = best.ids, best.titles
        columns, scores = best.columns(asked.user_id, asked.k)
        found = zip(columns, scores, strict=True)
        return Answer(items=[Item(game_id=ids[c], title=titles[c], score=s) for c, s in found])

    return app


if __name__ == "__main__":
    _sock, _data = arguments()
    under_uvicorn(made(_data), _sock)
