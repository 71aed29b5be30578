"""Folders for work in progress."""

from __future__ import annotations

from flyball.loop.scratch import own_folder, sweep


class TestAProcesssFolder:
    def test_is_gone_once_it_is_done_with(self, tmp_path):
        with own_folder(tmp_path) as folder:
            (folder / "part").write_text("rows")
        assert not list(tmp_path.iterdir())

    def test_stays_while_another_process_sweeps(self, tmp_path):
        with own_folder(tmp_path) as folder:
            (folder / "part").write_text("rows")
            sweep(tmp_path)
            assert (folder / "part").read_text() == "rows"


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "process-dead" / "ingest-x").mkdir(parents=True)
    (tmp_path / "process-dead" / "ingest-x" / "part").write_text("rows")
    (tmp_path / "stray").write_text("rows")
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())
