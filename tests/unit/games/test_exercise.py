"""The integration check's client finds a good server good and a bad one bad."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from fastapi import FastAPI

from flyball.errors import StorageUnavailable
from flyball.games.exercise import exercise


@contextmanager
def listening(app):
    """The app behind a real socket."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # callers wait in its queue until the server has started
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


class TestExercising:
    def test_a_good_server_holds_in_everything(self, app, host):
        with listening(app) as url:
            found = list(exercise(url))
        assert [(what, detail) for what, held, detail in found if not held] == []
        assert len(found) == 15
        assert [event.user_id for event in host.events.values()] == ["flyball-exercise"]

    def test_a_candidate_that_stores_no_events_is_good(self, app, host):
        host.failing = StorageUnavailable("a candidate under test accepts no events")
        with listening(app) as url:
            assert all(held for _, held, _ in exercise(url))

    def test_a_server_without_the_api_fails_and_says_where(self):
        with listening(FastAPI()) as url:
            found = list(exercise(url))
        assert not any(held for _, held, _ in found)
        assert all(detail for _, _, detail in found)

    def test_a_server_that_is_not_there_is_a_finding_not_a_crash(self):
        with listening(FastAPI()) as url:
            pass
        found = list(exercise(url))
        assert not any(held for _, held, _ in found)

    def test_a_server_that_answers_in_another_shape_is_found_out(self):
        other = FastAPI()

        @other.get("/v1/games")
        async def games():
            return {"games": []}

        with listening(other) as url:
            failed = {what: detail for what, held, detail in exercise(url) if not held}
        assert "another shape" in failed["a page of games"]

    def test_a_server_that_recommends_owned_games_is_found_out(self, app, host):
        class Forgetful:
            def __init__(self, servable):
                self.catalogue, self.similar = servable.catalogue, servable.similar
                self.why_not, self.search = servable.why_not, servable.search
                self._servable = servable

            def answers(self, questions, **more):
                forgotten = [replace(question, history=()) for question in questions]
                return self._servable.answers(forgotten, **more)

        host.servable = Forgetful(host.servable)
        with listening(app) as url:
            failed = {what: detail for what, held, detail in exercise(url) if not held}
        assert list(failed) == ["recommendations for a history"]
        assert "a game the player has" in failed["recommendations for a history"]

    def test_a_server_whose_list_and_reasons_disagree_is_found_out(self, app, host):
        class Backwards:
            def __init__(self, servable):
                self._servable = servable

            def __getattr__(self, name):
                return getattr(self._servable, name)

            def answers(self, questions, **more):
                found = self._servable.answers(questions, **more)
                return [replace(answer, items=answer.items[::-1]) for answer in found]

        host.servable = Backwards(host.servable)
        with listening(app) as url:
            failed = {what: detail for what, held, detail in exercise(url) if not held}
        assert list(failed) == ["why not, for every game of a list"]
        assert "of the game at place 1" in failed["why not, for every game of a list"]
