"""Nobody is found in what is told: whoever knows the rules and every published figure learns no small count."""

from itertools import combinations_with_replacement, product

from hypothesis import given, settings
from hypothesis import strategies as st

from review.transparency import disclosure
from review.transparency.disclosure import ACROSS, ANSWERS, NONE, UNKNOWN, Cell, total

T = 5
small_or_large = st.integers(0, 9) | st.integers(0, 400)


def month(counts, clauses=(), threshold=T, money=()):
    """What is told of a month with these counts."""
    exact = {
        "counts": dict.fromkeys((*ANSWERS, *ACROSS), 0) | counts,
        "clauses": [{"number": n, "title": "x", "count": count} for n, count in enumerate(clauses, 1) if count],
        "wait": {"median": 20_000.0, "p90": 90_000.0},
        "money": list(money),
        "brakes": [],
    }
    return disclosure.of(exact, threshold)


def cells(told):
    return {name: Cell.read(cell) for name, cell in told["counts"].items()}


@given(st.integers(0, 10_000), st.integers(5, 50))
def test_a_count_lies_where_it_is_said_to_and_small_ones_all_read_alike(count, threshold):
    cell = Cell.of(count, threshold)
    assert cell.low <= count <= (cell.high or 0)
    assert (cell == NONE) == (count == 0)
    assert cell.small == (0 < count < threshold)
    if cell.small:
        assert cell == Cell(None, 1, threshold - 1)
    elif count:
        assert cell.value % threshold == 0 and abs(cell.value - count) <= threshold // 2
        assert {Cell.of(n, threshold) for n in range(cell.low, cell.high + 1)} == {cell}  # and at least two share it
        assert cell.high > cell.low


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(5, 12))
def test_a_quarter_and_all_time_say_no_more_than_their_months(counts, threshold):
    told = [Cell.of(count, threshold) for count in counts]
    together = total(told)
    assert together.low <= sum(counts) <= together.high
    for month_, cell in zip(told, told, strict=True):
        rest = total(other for other in told if other is not month_)
        assert together.low - rest.high <= cell.low and together.high - rest.low >= cell.high


@settings(max_examples=100)
@given(
    st.lists(small_or_large, min_size=4, max_size=4),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
    st.integers(5, 12),
)
def test_no_count_across_others_says_how_large_a_small_one_is(answers, shares, threshold):
    counts = dict(zip(ANSWERS, answers, strict=True))
    counts |= {name: round(share * sum(answers)) for name, share in zip(ACROSS, shares, strict=True)}
    told = cells(month(counts, threshold=threshold))
    assert all(told[name].low <= n and (told[name].high is None or n <= told[name].high) for name, n in counts.items())
    parts = [told[name] for name in ANSWERS]
    for name in ACROSS:
        for part in parts:
            if part.small:  # the others at their most must leave room for it to be one alone
                assert told[name].low - (total(parts).high - part.high) <= 1
        if told[name].small:
            assert total(parts).high >= threshold - 1


def test_everything_that_can_be_told_of_late_answers_leaves_every_small_count_open():
    alike: dict[object, set[tuple[int, ...]]] = {}
    for rejected, approved in product(range(18), repeat=2):
        for late in range(rejected + approved + 1):
            told = cells(month({"approved": approved, "rejected": rejected, "late": late}))
            seen = tuple(told[name] for name in ("rejected", "approved", "late"))
            alike.setdefault(seen, set()).add((rejected, approved, late))
    for seen, months in alike.items():
        for place, cell in enumerate(seen):
            if cell.small:
                assert {row[place] for row in months} == {1, 2, 3, 4}, (seen, months)


def test_whether_a_wait_is_told_does_not_say_how_many_answers_there_were():
    def waits(*answers):
        return month(dict(zip(ANSWERS, answers, strict=True)))["wait"]

    assert waits(4, 4, 4, 4) == waits(1, 1, 1, 1) == {"median_seconds": None, "p90_seconds": None}
    assert waits(5, 0, 0, 0) == waits(7, 0, 0, 0) == {"median_seconds": 19_800, "p90_seconds": None}
    assert waits(10, 0, 0, 0)["p90_seconds"] is None  # it may be eight
    assert waits(13, 0, 0, 0)["p90_seconds"] == 90_000


def test_everything_that_can_be_told_of_clauses_leaves_every_small_count_open():
    """All months with few refusals, at once: those that read alike differ in each count that is not told."""
    alike: dict[object, set[tuple[int, ...]]] = {}
    for refused in combinations_with_replacement(range(13), 2):
        for clauses in combinations_with_replacement(range(sum(refused) + 1), 2):
            if sum(clauses) >= sum(refused):
                told = month(dict(zip(("changes_requested", "rejected"), refused, strict=True)), clauses)
                alike.setdefault(repr((told["counts"], told["clauses"])), set()).add((*refused, *clauses))
    for months in alike.values():
        told = month(
            dict(zip(("changes_requested", "rejected"), next(iter(months))[:2], strict=True)), next(iter(months))[2:]
        )
        refused = [cells(told)[name] for name in ("changes_requested", "rejected")]
        for place, cell in enumerate(refused):
            if cell.small:
                assert {row[place] for row in months} == {1, 2, 3, 4}, months
        how, named = told["clauses"]["told"], told["clauses"]["named"]
        if how == "numbers" and any(each["count"]["value"] is None for each in named):
            assert {n for row in months for n in row[2:] if 0 < n < T} == {1, 2, 3, 4}, months
        if how == "names" and len(named) == 2:
            assert len({n for row in months for n in row[2:]}) >= T, months


def test_clauses_are_told_in_numbers_by_name_or_not_at_all():
    def told(refused, *clauses):
        return month({"rejected": refused}, clauses)["clauses"]

    assert told(0) == {"told": "none", "named": []}
    assert told(4, 4) == {"told": "withheld", "named": []}
    assert told(8, 4, 4)["told"] == "names" and told(8, 4, 4)["named"][0] == {"number": 1, "title": "x", "count": None}
    assert told(300, 150, 146, 4)["told"] == "names"  # the first two are 299 at most, the refusals 298 at least
    assert told(300, 150, 148, 2)["named"][2]["count"] == {"value": None, "from": 1, "to": 4}
    assert month({"rejected": 300, "changes_requested": 1}, [300, 200])["clauses"]["told"] == "names"


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=8))
def test_an_amount_is_of_many_and_of_nobody_above_all(parts):
    largest = sorted(parts, reverse=True)
    row = {
        "what": "paid_for_the_rest", "currency": "EUR", "artists": len(parts), "cents": sum(parts), "minutes": 0,
        "largest": largest[0], "second": sum(largest[1:2]),
    }  # fmt: skip
    cents = Cell.read(month({}, money=[row])["money"][0]["cents"])
    if cents != UNKNOWN:
        assert len(parts) >= T and 10 * sum(largest[2:]) >= largest[0]
        assert cents.low <= sum(parts) <= cents.high and cents.value % 1000 == 0


def test_the_words_for_what_is_told():
    assert [str(Cell.of(n, T)) for n in (0, 3, 6, 1234, None)] == ["0", "fewer than 5", "5", "1,235", "not counted"]
    assert str(Cell.of(3, T) + Cell.of(2, T)) == "2 to 8"
    assert str(Cell.of(12, T) + UNKNOWN) == "8 or more"
    assert all(str(a + b) for a, b in product([NONE, UNKNOWN, Cell.of(3, T)], repeat=2))
