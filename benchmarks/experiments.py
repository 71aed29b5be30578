"""Whether experiments keep their promises: A/B tests, interleaving and evidence from logs.

    python -m benchmarks.experiments [--runs 2000]

Everything is simulated, with users who come back, differ in how much they see and do, and whose
choices depend on one another; so the truth is known. Exits 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from scipy import stats

from benchmarks.table import Line, judged
from flyball.recommend.exploration import explored
from flyball.stats.experiments.cuped import Arm, Difference, difference
from flyball.stats.experiments.interleaving import preference, team_draft
from flyball.stats.experiments.off_policy import Logged, doubly_robust, snips
from flyball.stats.experiments.verdicts import Answer, Design, Finding, Look, decide, decide_all

LOOKS = (0.25, 0.5, 0.75, 1.0)
BASE = 0.2
"""Clicks an item, on average."""

SURE = 1e-3
"""How seldom a promise that is kept looks broken by chance."""


class Visitors:
    """Users who arrive over the horizon, come back, and click as keenly as ever.

    Args:
        users: how many, half of them in each arm.
        lift: of B: how many times as much is clicked there.
    """

    def __init__(self, users: int, lift: float, rng: np.random.Generator) -> None:
        self.b = np.arange(users) % 2 == 1
        keen = np.clip(rng.gamma(2.0, 0.5, users), 0.05, 4.0)
        chance = np.clip(BASE * keen * np.where(self.b, lift, 1.0), 0, 1)
        self.before = rng.poisson(6 * keen) / 6
        busy = rng.exponential(1.0, users)
        arrives = rng.random(users)
        self.items, self.clicks = [], []
        seen, clicked = np.zeros(users), np.zeros(users)
        for start, end in zip((0.0, *LOOKS), LOOKS, strict=False):
            here = np.clip(end - np.maximum(arrives, start), 0.0, None)
            came = rng.poisson(40 * busy * here)
            seen, clicked = seen + came, clicked + rng.binomial(came, chance)
            self.items.append(seen)
            self.clicks.append(clicked)

    def looked(self, look: int, *, known: bool) -> Difference:
        """What a look finds, with or without what was known before."""
        items, clicks = self.items[look], self.clicks[look]
        arms = []
        for arm in (~self.b, self.b):
            some = arm & (items > 0)
            arms.append(Arm(clicks[some], items[some], self.before[some] if known else None))
        return difference(*arms)

    def tested(self, design: Design, *, known: bool = True) -> Finding:
        """The whole test, up to its answer."""
        looks = []
        for number, fraction in enumerate(LOOKS):
            seen = self.looked(number, known=known)
            looks.append(Look(fraction=fraction, difference=seen.value, error=seen.error))
            found = decide(looks, design)
            if found.final:
                break
        return found


def share(count: int, runs: int) -> list[float]:
    """In percent, as a line's values."""
    return [100.0 * count / runs]


def most(runs: int, promised: float) -> float:
    """Percent that chance allows a kept promise to show."""
    return 100.0 * float(stats.binom.ppf(1 - SURE, runs, promised)) / runs


def least(runs: int, promised: float) -> float:
    """Percent that chance allows a kept promise to show, from below."""
    return 100.0 * float(stats.binom.ppf(SURE, runs, promised)) / runs


def ab_lines(runs: int) -> list[Line]:
    """A/B tests of equal, better, and barely different versions."""
    design, answers = Design(minimal_effect=0.1 * BASE), dict[float, Counter[Answer]]()
    covered, peeked, used = 0, 0, []
    for lift in (1.0, 1.1, 1.2):
        rng, answers[lift] = np.random.default_rng(1), Counter()
        for _ in range(runs):
            world = Visitors(1_500, lift, rng)
            found = world.tested(design)
            answers[lift][found.answer] += 1
            if lift == 1.1:
                truth = BASE * (lift - 1)
                covered += found.estimate.low <= truth <= found.estimate.high
                used.append(100.0 * LOOKS[found.look - 1])
            if lift == 1.0:
                each = [world.looked(look, known=True) for look in range(4)]
                peeked += any(abs(seen.value) > 1.96 * seen.error for seen in each)
    equal, little, large = answers[1.0], answers[1.1], answers[1.2]
    wrong = equal[Answer.A_BETTER] + equal[Answer.B_BETTER]
    return [
        Line(what="equal versions called different", values=share(wrong, runs),
             limit=most(runs, 0.05), unit="%"),
        Line(what="  the same, with 1.96 at each look", values=share(peeked, runs), unit="%"),
        Line(what="equal versions: no difference larger than 10%",
             values=share(equal[Answer.SAME], runs), unit="%"),
        Line(what="+10% found", values=share(little[Answer.B_BETTER], runs), unit="%"),
        Line(what="+10% called no difference", values=share(little[Answer.SAME], runs),
             limit=most(runs, 0.05), unit="%"),
        Line(what="+20% found", values=share(large[Answer.B_BETTER], runs), unit="%"),
        Line(what="+20% called worse or equal", unit="%", limit=most(runs, 0.05),
             values=share(large[Answer.A_BETTER] + large[Answer.SAME], runs)),
        Line(what="+10%: interval at stopping holds the truth", values=share(covered, runs),
             least=least(runs, 0.93), unit="%"),
        Line(what="+10%: part of the horizon used", values=used, unit="%"),
    ]  # fmt: skip


def cuped_lines(runs: int) -> list[Line]:
    """What is known of before: the variance that goes, and that nothing moves."""
    rng, reduced, covered = np.random.default_rng(2), [], 0
    for _ in range(runs):
        seen = Visitors(1_500, 1.0, rng).looked(3, known=True)
        reduced.append(100.0 * seen.reduction)
        covered += abs(seen.value) <= 1.96 * seen.error
    return [
        Line(what="CUPED: variance less", values=reduced, least=10.0, unit="%"),
        Line(what="CUPED: 95% interval holds the truth", values=share(covered, runs),
             least=least(runs, 0.95), limit=most(runs, 0.95), unit="%"),
    ]  # fmt: skip


def several_lines(runs: int) -> list[Line]:
    """Three versions equal to the control, by Holm with looks and by Dunnett with one."""
    rng, wrong = np.random.default_rng(3), Counter[str]()
    for _ in range(runs):
        score = np.cumsum(rng.normal(0.0, 0.5, (4, 4)), axis=1)
        for name, numbers in (("holm", (0, 1, 2, 3)), ("dunnett", (3,))):
            design = Design(minimal_effect=0.01, looks=tuple(LOOKS[n] for n in numbers))
            arms = {
                str(arm): [
                    Look(
                        fraction=LOOKS[n],
                        difference=float(score[arm, n] - score[0, n]) / LOOKS[n],
                        error=(2.0 / LOOKS[n]) ** 0.5,
                    )
                    for n in numbers
                ]
                for arm in (1, 2, 3)
            }
            found = decide_all(arms, design).values()
            better = (Answer.A_BETTER, Answer.B_BETTER)
            wrong[name] += any(one.answer in better for one in found)
    return [
        Line(what="3 equal versions, Holm, 4 looks: any called different",
             values=share(wrong["holm"], runs), limit=most(runs, 0.05), unit="%"),
        Line(what="3 equal versions, Dunnett, 1 look: any called different",
             values=share(wrong["dunnett"], runs), limit=most(runs, 0.05),
             least=least(runs, 0.05), unit="%"),
    ]  # fmt: skip


def interleaving_lines(runs: int) -> list[Line]:
    """Users who like one item of ten; B ranks it two places higher. 40 users."""
    rng, found, wrong, by_ab = np.random.default_rng(4), 0, 0, 0
    for run in range(runs):
        liked = rng.integers(2, 10, 40)
        clicks = rng.random(40)
        votes, equal, arms = [], [], [[], []]
        for user, item in enumerate(liked):
            worse = list(range(10))
            better = list(range(10))
            better.insert(int(item) - 2, better.pop(int(item)))
            for ranked, out in ((better, votes), (worse, equal)):
                mix = team_draft(worse, ranked, 5, seed=f"{run}/{user}/{len(out)}")
                chosen = [int(item)] if item in mix.items and clicks[user] < 0.4 else []
                out.append(mix.credit(chosen))
            ranked = (worse, better)[user % 2]
            arms[user % 2].append(float(int(item) in ranked[:5] and clicks[user] < 0.4))
        found += preference(*np.array(votes).T).p_value < 0.05
        wrong += preference(*np.array(equal).T).p_value < 0.05
        split = difference(Arm(np.array(arms[0])), Arm(np.array(arms[1])))
        by_ab += abs(split.value) > 1.96 * split.error
    return [
        Line(what="interleaving, 40 users: better one found", values=share(found, runs),
             unit="%"),
        Line(what="  the same users in an A/B test", values=share(by_ab, runs), unit="%"),
        Line(what="interleaving: equal ones called different", values=share(wrong, runs),
             limit=most(runs, 0.05), unit="%"),
    ]  # fmt: skip


def off_policy_lines(runs: int) -> list[Line]:
    """A ranking that was never shown, from lists with chance in a fifth of them."""
    rng = np.random.default_rng(5)
    worth = np.clip(0.25 * 0.9 ** np.arange(20), 0.02, 1.0)
    candidate = [1, 0, 2, 3, 6]
    truth = float(worth[candidate].mean() - worth[:5].mean())
    model = worth * rng.uniform(0.7, 1.3, 20)
    names: dict[str, Callable[[Logged], object]] = {"SNIPS": snips, "doubly robust": doubly_robust}
    held, refused, widths = Counter[str](), Counter[str](), {name: [] for name in names}
    for run in range(runs):
        logged = _logged(run, worth, candidate, model, rng)
        for name, estimate in names.items():
            found = estimate(logged)
            refused[name] += bool(found.insufficient)
            held[name] += not found.insufficient and found.low <= truth <= found.high
            widths[name].append(found.high - found.low)
    lines = []
    for name in names:
        kept = runs - refused[name]
        lines += [
            Line(what=f"{name}: 95% interval holds the truth", values=share(held[name], kept),
                 least=least(kept, 0.95) - 1.0, unit="%"),
            Line(what=f"{name}: refused as insufficient", values=share(refused[name], runs),
                 unit="%"),
            Line(what=f"{name}: width of the interval", values=widths[name], unit="clicks an item"),
        ]  # fmt: skip
    return lines


def _logged(
    run: int, worth: np.ndarray, candidate: list[int], model: np.ndarray, rng: np.random.Generator
) -> Logged:
    """1,500 users with four lists each; their moods shift all that they see."""
    rows, users, items = [], 1_500, list(range(len(worth)))
    mood = rng.normal(0.0, 0.02, users)
    for shown in range(users * 4):
        found = explored(items, 5, rate=0.2, seed=f"{run}/{shown}")
        for place, item in enumerate(found.items):
            rows.append((shown % users, item, place, found.propensities[place]))
    who, item, place, propensity = map(np.array, zip(*rows, strict=True))
    theirs = np.array(candidate)[place]
    return Logged(
        users=who,
        rewards=(rng.random(len(who)) < np.clip(worth[item] + mood[who], 0, 1)).astype(float),
        propensities=propensity,
        target=(item == theirs).astype(float),
        expected=model[item],
        expected_target=model[theirs],
    )


def main() -> int:
    """Measure everything; the exit code is 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    runs = parser.parse_args().runs
    lines, began = [], time.perf_counter()
    lines += ab_lines(runs)
    lines += cuped_lines(runs)
    lines += several_lines(runs)
    lines += interleaving_lines(max(runs // 4, 50))
    lines += off_policy_lines(max(runs // 10, 50))
    took = time.perf_counter() - began
    return judged(f"Experiments, {runs:,} runs in {took:.0f} s", lines)


if __name__ == "__main__":
    sys.exit(main())
