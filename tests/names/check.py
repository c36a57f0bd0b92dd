#!/usr/bin/env python3
"""Compares the faults and threats of faults.tsv with the names of the workspace's tests.

Usage: check.py TESTS IGNORED COMPLETE_OWNERS DOCUMENT
TESTS and IGNORED hold what `cargo test -- --list` and `cargo test -- --list --ignored` print.

A fault is covered by a test that has its name as a word's start in any segment of its path: `f25_...`, or `f25`.
An ignored test does not count, because nothing runs it. A fault that no test can hold (a fork, a core file) is covered
by a heading of DOCUMENT that starts with its name: the documented command.

Prints who owns what is missing. Ends with 1 if an owner listed in COMPLETE_OWNERS has something missing, or if a test
carries a name that is not in the table.
"""

import collections
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).with_name("faults.tsv")
BY_COMMAND = {"f82", "f85"}
NAME = re.compile(r"^([ft]\d{2}b?)(?:_|$)")


def table():
    rows = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, owner, title = line.split("\t")
            if name in rows:
                sys.exit(f"{TABLE.name}: {name} stands there twice")
            rows[name] = (owner, title)
    return rows


def tests_in(path):
    """The tests of a listing; one name may stand in several binaries."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return collections.Counter(line.removesuffix(": test") for line in lines if line.endswith(": test"))


def names_of(tests):
    """Name -> the tests that carry it."""
    found = {}
    for test in tests:
        for segment in test.split("::"):
            match = NAME.match(segment)
            if match:
                found.setdefault(match.group(1), []).append(test)
    return found


def documented(path):
    if not path.is_file():
        return set()
    headings = re.findall(r"^#+ +`?([ft]\d{2}b?)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    return set(headings) & BY_COMMAND


def complete_owners(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def main(all_tests, ignored_tests, owners_file, document):
    rows = table()
    tests = tests_in(all_tests)
    if not tests:
        sys.exit(f"{all_tests} lists no test")
    found = names_of(tests - tests_in(ignored_tests))
    covered = set(found) | documented(pathlib.Path(document))
    complete = complete_owners(pathlib.Path(owners_file))
    owners = {owner for owner, _ in rows.values()}
    failed = False

    for owner in sorted(complete - owners):
        print(f"{owners_file}: nobody in the table is called '{owner}'")
        failed = True
    for name in sorted(set(found) - set(rows)):
        print(f"{name} is not in the table, but is the name of {', '.join(found[name])}")
        failed = True
    for owner in sorted(owners):
        mine = [name for name in rows if rows[name][0] == owner]
        missing = [name for name in mine if name not in covered]
        promise = " (said to be complete)" if owner in complete else ""
        print(f"{owner}: {len(mine) - len(missing)} of {len(mine)}{promise}")
        for name in missing:
            print(f"  {name}  {rows[name][1]}")
        failed |= bool(missing) and owner in complete
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
