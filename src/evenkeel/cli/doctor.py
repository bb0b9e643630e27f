"""`evenkeel doctor`: proves that the journal, the tables and the money agree; read-only, on a running home too."""

from evenkeel.cli.common import HomeOption, JsonOption, examples, print_fields, print_json, reporting
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.domain.errors import EvenkeelError

EXAMPLES = examples(
    "evenkeel doctor",
    "evenkeel doctor --home ~/desk --json",
    note="`lag` counts records that the tables have not taken over yet; it is 0 on a stopped home.",
)


def doctor(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Fold the journal and prove that orders, positions, ledger and tables agree. Exit code 1 when they do not.

    What else in the home needs a person – missing keys, an audit log cut off, what was half made – is named beside it.
    """
    import msgspec

    from evenkeel.cli.beside import concerns
    from evenkeel.storage.doctor import examine

    with reporting(as_json=as_json):
        where = the_database(home, database_url)
        report = examine(where)
        found = msgspec.to_builtins(report) | {"concerns": concerns(where)}
        if as_json:
            print_json(found)
        else:
            print_fields({name: value for name, value in found.items() if name not in ("differences", "concerns")})
            print("differences" if found["differences"] else "no differences")
            for line in found["differences"]:
                print(f"  {line}")
            for line in found["concerns"]:
                print(f"look at this: {line}")
        if not report.ok:
            hint = "Keep a copy of the home, and see docs/operations.md: Doctor."
            raise EvenkeelError(f"{len(report.differences)} differences; nothing was changed", hint=hint)
