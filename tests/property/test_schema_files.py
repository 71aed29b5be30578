"""Whatever tables an application declares, their file says the same, and comparing them is fair."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.schema_change import compared, compared_all, difference
from flyball.domain.table_schema import from_package, package_bytes, package_from, to_package
from flyball.errors import ConfigurationError

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)


@st.composite
def columns(draw, name):
    type_ = draw(st.sampled_from(ColumnType))
    more = {}
    if type_ is ColumnType.NUMBER:
        low, high = sorted([draw(NUMBERS), draw(NUMBERS)])
        more["minimum"] = draw(st.sampled_from([None, low]))
        more["maximum"] = draw(st.sampled_from([None, high]))
        more["unit"] = draw(TEXTS)
    if type_ is ColumnType.STRING:
        more["privacy"] = draw(st.sampled_from(Privacy))
        more["allowed"] = draw(st.none() | st.lists(TEXTS, min_size=1, unique=True).map(tuple))
    return Column(
        name=name,
        type=type_,
        required=draw(st.booleans()),
        nullable=draw(st.booleans()),
        lenient=draw(st.booleans()),
        aliases=tuple(draw(st.lists(TEXTS, max_size=3))),
        spellings=draw(st.dictionaries(TEXTS.map(str.casefold).filter(_folded), TEXTS, max_size=3)),
        **more,
    )


def _folded(text):
    return text == text.casefold()


@st.composite
def tables(draw):
    """One to three tables that may refer to each other."""
    layout = draw(
        st.dictionaries(
            NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True), min_size=1, max_size=3
        )
    )
    places = [(table, name) for table, names in layout.items() for name in names]
    found = []
    for table, names in layout.items():
        made = [draw(columns(name)) for name in names]
        some = st.lists(st.sampled_from(names), unique=True)
        some_of_them = st.lists(st.sampled_from(names), min_size=1, unique=True)
        for index, column in enumerate(made):
            if draw(st.booleans()):
                there, of = draw(st.sampled_from(places))
                to = Reference(table=there, column=of, by_slug=draw(st.booleans()))
                made[index] = replace(column, references=to)
        found.append(
            Schema(
                name=table,
                columns=tuple(made),
                key=tuple(draw(some)),
                one_of=tuple(map(tuple, draw(st.lists(some_of_them, max_size=2)))),
                headerless=tuple(draw(st.sampled_from([[], [*draw(some), ""]]))),
            )
        )
    return tuple(found)


@settings(max_examples=30)
@given(tables())
def test_tables_come_back_from_their_file_as_they_were(schemas):
    written = package_bytes(to_package(schemas))
    assert package_from(written, source="file") == schemas
    assert package_bytes(to_package(package_from(written, source="file"))) == written


@settings(max_examples=30)
@given(tables())
def test_nothing_differs_from_itself(schemas):
    assert compared_all(schemas, schemas) == ()


@settings(max_examples=30)
@given(tables(), tables())
def test_what_is_gained_one_way_is_lost_the_other(old, new):
    there, back = compared_all(old, new), compared_all(new, old)
    assert {c.column for c in there if c.sign == "+"} == {c.column for c in back if c.sign == "-"}
    assert len(difference(there).splitlines()) >= len(there)


@given(st.data())
def test_what_only_widens_is_compatible_and_its_reverse_is_breaking(data):
    column = data.draw(columns("x"))
    wider = replace(
        column,
        required=False,
        nullable=True,
        lenient=True,
        minimum=None,
        maximum=None,
        allowed=None,
        aliases=(*column.aliases, "one more"),
    )
    narrow, wide = (Schema(columns=(each,)) for each in (column, wider))
    assert not any(change.breaking for change in compared(narrow, wide))
    assert any(change.breaking for change in compared(wide, narrow))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=30)
@given(tables(), st.data())
def test_a_file_that_somebody_spoiled_is_refused_in_words_or_still_a_schema(schemas, data):
    package = to_package(schemas)
    at = package
    while True:
        steps = list(at) if isinstance(at, dict) else list(range(len(at)))
        step = data.draw(st.sampled_from(steps))
        if isinstance(at[step], dict | list) and at[step] and data.draw(st.booleans()):
            at = at[step]
            continue
        at[step] = data.draw(JSON)
        break
    read = refusal = None
    try:
        read = package_from(package_bytes(package), source="the file")
    except ConfigurationError as error:
        refusal = str(error)
    assert refusal.startswith("the file: ") if read is None else from_package(package) == read
