"""The traffic chart: requests a second above, latency below, a line a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyball.console.traffic import Point, Traffic
from flyball.console.wording import label

COLOURS = ("#3b82c4", "#e08a1e", "#2f9e6e", "#b05fc4", "#c9506b", "#7a8794")
"""Told apart on light and on dark, and by people who see few colours."""

_SOFT = "#8593a3"
_LINE = "rgba(133, 147, 163, 0.25)"


def options(traffic: Traffic) -> dict[str, Any]:
    """ECharts options. Only whole points are drawn, so a picture changes as often as they do."""
    series = []
    for place, version in enumerate(traffic.versions):
        points = [p for p in version.points if p.seconds >= traffic.point_seconds]
        name, colour = label(version.version).number, COLOURS[place % len(COLOURS)]
        series += [
            _line(name, colour, 0, points, lambda p: round(p.per_second, 2), area=True),
            _line(name, colour, 1, points, lambda p: p.p95_ms),
        ]
    return {
        "animation": False,
        "useUTC": True,
        "color": list(COLOURS),
        "textStyle": {"fontFamily": "system-ui, sans-serif"},
        "legend": {
            "top": 0,
            "right": 0,
            "textStyle": {"color": _SOFT},
            "icon": "roundRect",
            "itemWidth": 12,
            "itemHeight": 6,
        },
        "tooltip": {"trigger": "axis", "confine": True},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "title": [_title("Requests per second", 0), _title("Latency, 95th percentile, ms", 142)],
        "grid": [_grid(30, 88), _grid(172, 88)],
        "xAxis": [_time(0, traffic, labels=False), _time(1, traffic, labels=True)],
        "yAxis": [_values(0), _values(1)],
        "series": series,
    }


def _line(
    name: str,
    colour: str,
    grid: int,
    points: list[Point],
    value: Callable[[Point], float | None],
    *,
    area: bool = False,
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "name": name,
        "type": "line",
        "xAxisIndex": grid,
        "yAxisIndex": grid,
        "showSymbol": False,
        "itemStyle": {"color": colour},
        "lineStyle": {"width": 2, "color": colour},
        "data": [[point.start.timestamp() * 1000.0, value(point)] for point in points],
    }
    if area:
        line["areaStyle"] = {"opacity": 0.15, "color": colour}
    return line


def _title(text: str, top: int) -> dict[str, Any]:
    return {
        "text": text,
        "top": top,
        "left": 0,
        "textStyle": {"fontSize": 12, "fontWeight": "normal", "color": _SOFT},
    }


def _grid(top: int, height: int) -> dict[str, Any]:
    return {"top": top, "height": height, "left": 44, "right": 8}


def _time(grid: int, traffic: Traffic, *, labels: bool) -> dict[str, Any]:
    return {
        "type": "time",
        "gridIndex": grid,
        "min": traffic.since.timestamp() * 1000.0,
        "axisLabel": {
            "show": labels,
            "color": _SOFT,
            "hideOverlap": True,
            "formatter": "{HH}:{mm}",
        },
        "axisLine": {"lineStyle": {"color": _LINE}},
        "axisTick": {"show": False},
        "splitLine": {"show": False},
    }


def _values(grid: int) -> dict[str, Any]:
    return {
        "type": "value",
        "gridIndex": grid,
        "min": 0,
        "minInterval": 0,
        "splitNumber": 2,
        "axisLabel": {"color": _SOFT},
        "splitLine": {"lineStyle": {"color": _LINE}},
    }
