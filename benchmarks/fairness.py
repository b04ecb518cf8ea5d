"""Is a burst of one artist's unfair to another? One asks for 200 clips; when three workers have begun on them, another
asks for 5. Every claim is the very statement that workers send, in a PostgreSQL of its own; clips take no time here,
for only the order is looked at.

    python -m benchmarks.fairness [docs/fairness.svg]

Beside it stands what first come, first served would do.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.place import of_its_own

BURST, FEW, WORKERS = 200, 5, 3
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 400, 60, 40, 20, 50

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .soft { fill: #666 } .axis { stroke: #888 } .grid { stroke: #ddd }
  .ours { fill: none; stroke: #0a6ebd; stroke-width: 2.5 } .ours-dot { fill: #0a6ebd } .ours-word { fill: #0a6ebd }
  .bound { fill: none; stroke: #777; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .paper { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee } .soft { fill: #aaa } .axis { stroke: #777 } .grid { stroke: #333 }
    .ours { stroke: #6fb7f2 } .ours-dot, .ours-word { fill: #6fb7f2 } .bound { stroke: #999 } .paper { fill: #15171a }
  }
"""


def order() -> list[int]:
    """At which beginning, counted from when they asked, each clip of the second artist begins."""
    from generation import scheduling
    from tests import makers

    busy = makers.artist(cohort=makers.cohort(concurrent=BURST), credits=BURST)
    other = makers.artist()
    for _ in range(BURST):
        makers.queued(busy)
    for _ in range(WORKERS):
        scheduling.claim("default", worker="gpu@one")
    mine = {makers.queued(other).pk for _ in range(FEW)}
    claims: list[Any] = []
    while (claimed := scheduling.claim("default", worker="gpu@one")) is not None:
        claims.append(claimed.pk)
    return [place for place, pk in enumerate(claims, start=1) if pk in mine]


def picture(places: list[int]) -> str:
    """The plot, legible in light and dark."""
    most = 2 * FEW + WORKERS + 2

    def at(k: float, begun: float) -> str:
        x = LEFT + (k - 0.5) * (WIDTH - LEFT - RIGHT) / FEW
        y = HEIGHT - BOTTOM - begun * (HEIGHT - TOP - BOTTOM) / most
        return f"{x:.0f},{y:.0f}"

    def point(k: float, begun: float) -> tuple[str, ...]:
        return tuple(at(k, begun).split(","))

    lines = []
    for begun in range(0, most + 1, 5):
        _, y = point(1, begun)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text class="soft" x="{LEFT - 8}" y="{int(y) + 4}" text-anchor="end">{begun}</text>')
    for k in range(1, FEW + 1):
        x, y = point(k, 0)
        lines.append(f'<text class="soft" x="{x}" y="{int(y) + 20}" text-anchor="middle">clip {k}</text>')
    ks = range(1, FEW + 1)
    lines.append(f'<polyline class="bound" points="{" ".join(at(k, 2 * k + WORKERS) for k in ks)}"/>')
    lines.append(
        f'<polyline class="ours" points="{" ".join(at(k, place) for k, place in zip(ks, places, strict=True))}"/>'
    )
    for k, place in zip(ks, places, strict=True):
        x, y = point(k, place)
        lines.append(f'<circle class="ours-dot" cx="{x}" cy="{y}" r="4"/>')
        lines.append(f'<text class="ours-word" x="{x}" y="{int(y) + 20}" text-anchor="middle">{place}</text>')
    x, y = point(3, 2 * 3 + WORKERS)
    lines.append(
        f'<text class="soft" x="{x}" y="{int(y) - 22}" text-anchor="end">the promise: 2k + {WORKERS} workers</text>'
    )
    lines.append(
        f'<text x="{LEFT}" y="24">When the clips of who asks for {FEW} begin, behind a burst of {BURST}, counted in '
        f"beginnings of all</text>"
    )
    lines.append(
        f'<text class="soft" x="{LEFT}" y="{HEIGHT - 8}">First come, first served would begin them at '
        f"{BURST - WORKERS + 1} to {BURST - WORKERS + FEW}.</text>"
    )
    body = "\n  ".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Fair share: the five clips begin at {", ".join(map(str, places))}">\n'
        f'<style>{STYLE}</style>\n  <rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>\n  {body}\n</svg>\n'
    )


def run(file: str) -> None:
    """Print the table, write the plot."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    places = order()
    print(f"{'clip':>5} {'begins at':>10} {'promised by':>12}")
    for k, place in enumerate(places, start=1):
        print(f"{k:>5} {place:>10} {2 * k + WORKERS:>12}")
    Path(file).write_text(picture(places))
    print(f"worst={max(place - 2 * k - WORKERS for k, place in enumerate(places, start=1))}")


if __name__ == "__main__":
    with of_its_own(LOG_LEVEL="ERROR"):  # nobody hears the bells
        run(sys.argv[1] if len(sys.argv) > 1 else "docs/fairness.svg")
