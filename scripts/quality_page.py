"""What the scripts that measure detection share: many runs at once, and their tables in docs/quality.md."""

import concurrent.futures
import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "quality.md"


def in_parallel(work, processes):
    """The results in the order of work; each task is a function and its arguments. Stops at the first failure."""
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        futures = [pool.submit(*task) for task in work]
        terminal = sys.stderr.isatty()
        every = 1 if terminal else max(1, len(work) // 10)
        try:
            for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
                future.result()
                if done % every == 0 or done == len(work):
                    print(f"{done} of {len(work)} runs", end="\r" if terminal else "\n", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return [future.result() for future in futures]


def cell(figure, digits=3):
    return "-" if figure is None else f"{figure:.{digits}f}"


def markdown(heads, rows, left=1):
    """A table as wide as its cells, the first columns to the left and the others to the right."""
    lines = [[str(text) for text in line] for line in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rule = ["-" * width if place < left else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    place_in = lambda place, text: text.ljust(widths[place]) if place < left else text.rjust(widths[place])
    lines = [[place_in(place, text) for place, text in enumerate(line)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def written(command, name):
    """The table that stands between its marks: for each first cell the cells by their headings."""
    table = marked(command, name).search(PAGE.read_text())
    lines = [line.strip("| ").split("|") for line in table[0].splitlines() if line.startswith("|")] if table else []
    heads, *rows = [[text.strip() for text in line] for line in lines] or [[]]
    return {row[0]: dict(zip(heads, row)) for row in rows}


def marked(command, name):
    return re.compile(rf"(<!-- make {command}: {name} -->\n).*?(<!-- end -->)", re.DOTALL)


def rewrite(command, tables):
    """Puts each table between its marks in docs/quality.md; of the page nothing else is touched."""
    page = PAGE.read_text()
    for name, table in tables.items():
        page, places = marked(command, name).subn(lambda place: f"{place[1]}\n{table or 'Not measured.'}\n\n{place[2]}", page)
        if places != 1:
            sys.exit(f"{PAGE} has {places} places for the table {name!r}")
    PAGE.write_text(page)
    print(f"\nwritten to {PAGE.relative_to(CHECKOUT)}")
