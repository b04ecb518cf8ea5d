"""Clips by the hundred that differ as works differ: many motifs, each with its own forms, colours, light and movement.

They stand in for works that cannot come with the code. `of(seed)` is always the same clip.
"""

from collections.abc import Callable, Iterator

import numpy as np

from generation.sketch import clips
from generation.sketch.captions import scenes

SIZE = 256
FRAMES = 12
FPS = 8

Pixels = np.ndarray
Draw = Callable[[np.random.Generator], Iterator[Pixels]]

X, Y = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE * 2 - 1, (np.arange(SIZE) + 0.5) / SIZE * 2 - 1)
X, Y = X.astype("f4"), Y.astype("f4")
TIMES = np.linspace(0, 1, FRAMES, dtype="f4")


def of(seed: int) -> tuple[str, Pixels]:
    """The motif's name and the clip of this number: uint8 of (frames, height, width, 3)."""
    names = sorted(MOTIFS)
    name = names[seed % len(names)]
    rng = np.random.default_rng(seed)
    return name, np.stack([np.clip(frame, 0, 255).astype(np.uint8) for frame in MOTIFS[name](rng)])


def scene(seed: int) -> Pixels:
    """A clip as Sketch draws them: one shape over a plain field. Thousands of them look much alike."""
    every = list(scenes())
    rng = np.random.default_rng(seed)
    small = clips.draw(every[seed * 7919 % len(every)], rng)
    return small.repeat(4, axis=1).repeat(4, axis=2)


def _palette(rng: np.random.Generator, count: int) -> Pixels:
    return rng.uniform(0, 255, (count, 3)).astype("f4")


def _mapped(values: Pixels, palette: Pixels) -> Pixels:
    """Values from 0 to 1 as colours of a palette, blended."""
    place = np.clip(values, 0, 1) * (len(palette) - 1)
    low = np.minimum(place.astype(int), len(palette) - 2)
    part = (place - low)[..., None]
    return palette[low] * (1 - part) + palette[low + 1] * part


def _cloud(rng: np.random.Generator, roughness: float, size: int = SIZE) -> Pixels:
    """Fractal noise from 0 to 1: the fewer fine parts, the greater `roughness`."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    f[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) / f**roughness).real
    return ((field - field.min()) / np.ptp(field)).astype("f4")


def clouds(rng: np.random.Generator) -> Iterator[Pixels]:
    """Weather: two layers that drift."""
    one, two = _cloud(rng, rng.uniform(1.2, 2.2)), _cloud(rng, rng.uniform(1.2, 2.2))
    palette, ways = _palette(rng, 4), rng.integers(-40, 40, 4)
    for t in TIMES:
        yield _mapped(
            (np.roll(one, (ways[:2] * t).astype(int), (0, 1)) + np.roll(two, (ways[2:] * t).astype(int), (0, 1))) / 2,
            palette,
        )


def hills(rng: np.random.Generator) -> Iterator[Pixels]:
    """A landscape: sky, sun, ridges behind each other, passing by."""
    sky, grounds, sun = _palette(rng, 2), _palette(rng, rng.integers(2, 6)), rng.uniform(-0.8, 0.8, 2)
    waves = [(rng.uniform(0.5, 5, 5), rng.uniform(0, 6.3, 5), rng.uniform(0.02, 0.2, 5)) for _ in grounds]
    radius, speed = rng.uniform(0.08, 0.3), rng.uniform(-0.5, 0.5)
    for t in TIMES:
        frame = _mapped((Y + 1) / 2, sky)
        frame[np.hypot(X - sun[0], Y - sun[1] * 0.6 + 0.3) < radius] = 255 - grounds[0] * 0.3
        for depth, (ground, (f, phase, height)) in enumerate(zip(grounds, waves, strict=True)):
            x = X + speed * t * (depth + 1)
            ridge = sum(h * np.sin(f_ * x * 3 + p) for f_, p, h in zip(f, phase, height, strict=True))
            frame[0.1 + 0.25 * depth + ridge < Y] = ground
        yield frame


def stripes(rng: np.random.Generator) -> Iterator[Pixels]:
    """Bands that turn and slide."""
    angle, f, turn, palette = rng.uniform(0, 3.14), rng.uniform(2, 20), rng.uniform(-0.6, 0.6), _palette(rng, 3)
    for t in TIMES:
        a = angle + turn * t
        yield _mapped(np.sin((X * np.cos(a) + Y * np.sin(a)) * f + t * 3) * 0.5 + 0.5, palette)


def chequers(rng: np.random.Generator) -> Iterator[Pixels]:
    """A tilted floor of fields, each with a shade of its own."""
    count, turn, tilt = rng.integers(3, 10), rng.uniform(0, 1.5), rng.uniform(0, 0.5)
    shades, palette = rng.uniform(0, 1, (32, 32)), _palette(rng, 3)
    for t in TIMES:
        a = turn + t * 0.4
        depth = 1 + tilt * Y
        u, v = (X * np.cos(a) - Y * np.sin(a)) / depth, (X * np.sin(a) + Y * np.cos(a)) / depth
        yield _mapped(shades[(u * count).astype(int) % 32, (v * count).astype(int) % 32], palette)


def cells(rng: np.random.Generator) -> Iterator[Pixels]:
    """Leaded glass: each pane belongs to its nearest point, and the points wander."""
    points, ways = rng.uniform(-1, 1, (rng.integers(6, 40), 2)), rng.normal(0, 0.25, (40, 2))
    palette, lead = _palette(rng, 40), rng.uniform(0, 0.05)
    for t in TIMES:
        where = points + ways[: len(points)] * t
        apart = np.hypot(X[..., None] - where[:, 0], Y[..., None] - where[:, 1])
        order = np.argpartition(apart, 1, axis=2)[..., :2]
        near = np.take_along_axis(apart, order, 2)
        frame = palette[order[..., 0]]
        frame[near[..., 1] - near[..., 0] < lead] = 10
        yield frame


def balls(rng: np.random.Generator) -> Iterator[Pixels]:
    """Lit spheres over a shaded ground."""
    count = rng.integers(1, 7)
    where, ways = rng.uniform(-0.9, 0.9, (count, 2)), rng.normal(0, 0.5, (count, 2))
    radii, palette, ground = rng.uniform(0.1, 0.5, count), _palette(rng, 7), _palette(rng, 2)
    for t in TIMES:
        frame = _mapped((Y + X * 0.4 + 1.4) / 2.8, ground)
        for n in range(count):
            x, y = (X - where[n, 0] - ways[n, 0] * t) / radii[n], (Y - where[n, 1] - ways[n, 1] * t) / radii[n]
            inside = x * x + y * y < 1
            light = np.clip(0.4 + 0.6 * (np.sqrt(np.clip(1 - x * x - y * y, 0, 1)) - 0.5 * x - 0.5 * y), 0.1, 1.2)
            frame[inside] = (palette[n] * light[..., None])[inside]
        yield frame


def plasma(rng: np.random.Generator) -> Iterator[Pixels]:
    """Sums of waves, as on old screens."""
    f, phase, palette = rng.uniform(-6, 6, (5, 2)), rng.uniform(0, 6.3, 5), _palette(rng, 5)
    for t in TIMES:
        waves = sum(np.sin(a * X + b * Y + p + 4 * t) for (a, b), p in zip(f, phase, strict=True))
        yield _mapped(waves / 10 + 0.5, palette)


def stars(rng: np.random.Generator) -> Iterator[Pixels]:
    """Night: points of light that move apart, a band of haze."""
    where, speed = rng.uniform(-1, 1, (rng.integers(40, 400), 2)), rng.uniform(0.1, 1)
    haze, palette = _cloud(rng, 1.6), np.vstack([np.zeros((2, 3), "f4"), _palette(rng, 2) * 0.6])
    sizes = rng.uniform(0, 2.5, len(where))
    for t in TIMES:
        frame = _mapped(haze, palette)
        for (x, y), size in zip(where * (1 + speed * t), sizes, strict=True):
            column, row, wide = int((x + 1) * SIZE / 2), int((y + 1) * SIZE / 2), int(size)
            if 0 <= column < SIZE and 0 <= row < SIZE:
                frame[max(row - wide, 0) : row + wide + 1, max(column - wide, 0) : column + wide + 1] = 240
        yield frame


def skyline(rng: np.random.Generator) -> Iterator[Pixels]:
    """Houses with lit windows, seen from something that drives by."""
    sky, wall, lamp = _palette(rng, 2), _palette(rng, 8) * 0.6, _palette(rng, 1)[0] * 0.4 + 150
    edges = np.cumsum(rng.uniform(0.08, 0.4, 40)) - 2
    tops, lit, speed = rng.uniform(-0.7, 0.6, 40), rng.random((40, 64, 64)) < 0.35, rng.uniform(-0.8, 0.8)
    for t in TIMES:
        frame, x = _mapped((Y + 1) / 2, sky), X + speed * t
        house = np.clip(np.searchsorted(edges, x), 0, 39)
        inside = tops[house] < Y
        frame[inside] = wall[house % 8][inside]
        window = (x * 24 % 1 > 0.45) & (Y * 20 % 1 > 0.5)
        shine = lit[house, (x * 24).astype(int) % 64, (Y * 20).astype(int) % 64]
        frame[inside & window & shine] = lamp
        yield frame


def spiral(rng: np.random.Generator) -> Iterator[Pixels]:
    """Arms around a centre."""
    arms, twist, at, palette = rng.integers(1, 9), rng.uniform(2, 16), rng.uniform(-0.5, 0.5, 2), _palette(rng, 4)
    for t in TIMES:
        r, a = np.hypot(X - at[0], Y - at[1]), np.arctan2(Y - at[1], X - at[0])
        yield _mapped(np.sin(arms * a + twist * r - 2 * t) * 0.5 * np.exp(-r * 0.7) + 0.5, palette)


def fractal(rng: np.random.Generator) -> Iterator[Pixels]:
    """A Julia set whose constant wanders."""
    angle, palette, zoom = rng.uniform(0, 6.28), _palette(rng, 6), rng.uniform(0.7, 1.7)
    for t in TIMES:
        z, count = (X + 1j * Y) * zoom, np.zeros(X.shape, "f4")
        c = 0.7885 * np.exp(1j * (angle + 0.15 * t))
        for _ in range(24):
            z = np.where(abs(z) < 4, z * z + c, z)
            count += abs(z) < 4
        yield _mapped(count / 24, palette)


def kaleidoscope(rng: np.random.Generator) -> Iterator[Pixels]:
    """A cloud, mirrored in wedges."""
    sides, cloud, palette = rng.integers(3, 9), _cloud(rng, 1.5), _palette(rng, 5)
    r, a = np.hypot(X, Y), np.arctan2(Y, X)
    for t in TIMES:
        wedge = abs((a / np.pi * sides + t) % 2 - 1)
        yield _mapped(cloud[(r * 120 + 40 * t).astype(int) % SIZE, (wedge * 120).astype(int) % SIZE], palette)


def faces(rng: np.random.Generator) -> Iterator[Pixels]:
    """A head before a wall, turning a little: ovals for hair, skin, eyes and mouth."""
    (wall, hair), skin, eye = _palette(rng, 2), rng.uniform(60, 230) * np.array([1, 0.8, 0.65]), 20
    wide, tall = rng.uniform(0.3, 0.55), rng.uniform(0.4, 0.7)
    at, turn = rng.uniform(-0.3, 0.3, 2), rng.uniform(-0.3, 0.3)
    light, parted = rng.uniform(-0.5, 0.5), rng.uniform(0.15, 0.4)
    for t in TIMES:
        frame = np.ones((SIZE, SIZE, 3), "f4") * wall * (1 + light * X[..., None])
        x, y = (X - at[0] - turn * t) / wide, (Y - at[1]) / tall
        frame[(x / 1.2) ** 2 + ((y + 0.15) / 1.15) ** 2 < 1] = hair
        frame[x**2 + (y - 0.05) ** 2 < 0.8] = skin * (1 - light * 0.5)
        for side in (-1, 1):
            frame[((x - side * parted - turn * t) / 0.12) ** 2 + ((y + 0.1) / 0.07) ** 2 < 1] = eye
        frame[(x / 0.3) ** 2 + ((y - 0.5) / 0.06) ** 2 < 1] = skin * np.array([0.9, 0.4, 0.4])
        yield frame


def tiles(rng: np.random.Generator) -> Iterator[Pixels]:
    """An abstract painting: rectangles over each other, a few of them sliding."""
    count = rng.integers(5, 30)
    boxes, ways, palette = rng.uniform(-1.2, 1, (count, 2)), rng.normal(0, 0.25, (count, 2)), _palette(rng, count)
    sizes, ground = rng.uniform(0.1, 1, (count, 2)), _palette(rng, 1)[0]
    for t in TIMES:
        frame = np.ones((SIZE, SIZE, 3), "f4") * ground
        for n in range(count):
            x, y = boxes[n] + ways[n] * t
            frame[(x < X) & (x + sizes[n, 0] > X) & (y < Y) & (y + sizes[n, 1] > Y)] = palette[n]
        yield frame


def ripples(rng: np.random.Generator) -> Iterator[Pixels]:
    """Rain on water: rings from a few places."""
    at, f, palette = rng.uniform(-1, 1, (rng.integers(1, 6), 2)), rng.uniform(6, 30), _palette(rng, 3)
    for t in TIMES:
        rings = sum(np.sin(np.hypot(X - x, Y - y) * f - 6 * t) / (1 + 3 * np.hypot(X - x, Y - y)) for x, y in at)
        yield _mapped(rings / 3 + 0.5, palette)


def branches(rng: np.random.Generator) -> Iterator[Pixels]:
    """A bare tree in the wind."""
    sky, bark, spread, bend = _palette(rng, 2), _palette(rng, 1)[0] * 0.4, rng.uniform(0.3, 0.8), rng.uniform(-0.3, 0.3)
    root, length, lean = rng.uniform(-0.6, 0.6), rng.uniform(0.35, 0.6), rng.normal(0, 0.25, 64)
    for t in TIMES:
        frame, tips = _mapped((Y + 1) / 2, sky), [(root, 1.0, -1.57 + bend * 0.3 * t, length, 0)]
        for depth in range(6):
            after = []
            for x, y, a, reach, n in tips:
                for s in np.linspace(0, 1, 24):
                    column, row = int((x + np.cos(a) * reach * s + 1) * 128), int((y + np.sin(a) * reach * s + 1) * 128)
                    w = max(5 - depth, 1)
                    if 0 <= column < SIZE and 0 <= row < SIZE:
                        frame[max(row - w, 0) : row + w, max(column - w, 0) : column + w] = bark
                end = (x + np.cos(a) * reach, y + np.sin(a) * reach)
                for side in (-1, 1):
                    m = (2 * n + (side > 0)) % 64
                    after.append((*end, a + side * spread + lean[m] + bend * 0.3 * t, reach * 0.72, 2 * n + (side > 0)))
            tips = after
        yield frame


def letters(rng: np.random.Generator) -> Iterator[Pixels]:
    """Writing in a script that nobody reads, line by line, scrolling."""
    paper, ink, size = _palette(rng, 1)[0] * 0.4 + 150, _palette(rng, 1)[0] * 0.4, int(rng.integers(8, 28))
    glyphs = rng.random((24, 5, 5)) < 0.5
    text = rng.integers(-6, 24, (64, 64))
    for t in TIMES:
        frame = np.ones((SIZE, SIZE, 3), "f4") * paper
        row, column = np.mgrid[0:SIZE, 0:SIZE]
        row = row + int(t * 30)
        sign = text[row // (size * 2) % 64, column // size % 64]
        inner = glyphs[np.maximum(sign, 0), row % (size * 2) * 5 // (size * 2), column % size * 5 // size]
        frame[inner & (sign >= 0)] = ink
        yield frame


def smoke(rng: np.random.Generator) -> Iterator[Pixels]:
    """A bright plume over darkness, rising."""
    cloud, at, palette = _cloud(rng, rng.uniform(1.3, 2)), rng.uniform(-0.5, 0.5), _palette(rng, 2)
    palette = np.vstack([palette[:1] * 0.2, palette])
    for t in TIMES:
        plume = np.exp(-(((X - at) / (0.2 + 0.4 * (1 - Y) / 2)) ** 2))
        yield _mapped(np.roll(cloud, int(-60 * t), 0) * plume * 1.4, palette)


def weave(rng: np.random.Generator) -> Iterator[Pixels]:
    """Cloth: threads over and under, folded."""
    f, palette, fold = rng.uniform(6, 26, 2), _palette(rng, 4), rng.uniform(0.05, 0.4)
    for t in TIMES:
        x = X + fold * np.sin(2 * Y + 3 * t)
        yield _mapped((np.sin(f[0] * x) * np.sin(f[1] * Y) + 0.6 * np.sin(3 * x + t)) / 3.2 + 0.5, palette)


def corridor(rng: np.random.Generator) -> Iterator[Pixels]:
    """Frames within frames towards a vanishing point, nearing."""
    at, palette, shape = rng.uniform(-0.5, 0.5, 2), _palette(rng, 6), rng.uniform(1, 8)
    for t in TIMES:
        r = (abs(X - at[0]) ** shape + abs(Y - at[1]) ** shape) ** (1 / shape)
        depth = np.log(r + 0.02) * 2 - t
        yield palette[np.floor(depth).astype(int) % 6] * np.clip(r + 0.3, 0.2, 1)[..., None]


MOTIFS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        *(clouds, hills, stripes, chequers, cells, balls, plasma, stars, skyline, spiral, fractal, kaleidoscope),
        *(faces, tiles, ripples, branches, letters, smoke, weave, corridor),
    )
}
