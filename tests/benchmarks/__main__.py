"""`python -m tests.benchmarks`: measure, show tables, write a JSON file."""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    aws_calls,
    aws_flow,
    aws_functions,
    aws_imports,
    azure_calls,
    azure_flow,
    azure_functions,
    azure_imports,
    azure_limits,
    gcp_calls,
    gcp_flow,
    gcp_imports,
    growth,
    imports,
    kernel,
    sqlite_flow,
)
from tests.benchmarks.measure import FULL, QUICK, Benchmark, Table
from tests.benchmarks.report import as_json, machine, show

CACHE = Path(__file__).parents[2] / ".cache"
BENCHMARKS: dict[str, Benchmark] = {
    "kernel": kernel.measure,
    "sqlite": sqlite_flow.measure,
    "imports": imports.measure,
    "growth": growth.measure,
    "aws-import": aws_imports.measure,
    "aws-calls": aws_calls.measure,
    "aws-flow": aws_flow.measure,
    "aws-functions": aws_functions.measure,
    "gcp-import": gcp_imports.measure,
    "gcp-calls": gcp_calls.measure,
    "gcp-flow": gcp_flow.measure,
    "azure-import": azure_imports.measure,
    "azure-calls": azure_calls.measure,
    "azure-flow": azure_flow.measure,
    "azure-functions": azure_functions.measure,
    "azure-emulator": azure_limits.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for; the databases lie in a folder that is removed in the end."""
    options = _parser().parse_args(arguments)
    console = Console()
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=options.folder))
    try:
        found = machine(folder)
        console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items()), style="dim")
        tables: list[Table] = []
        for name in options.only or BENCHMARKS:
            with console.status(f"measuring: {name}"):
                measured = BENCHMARKS[name](QUICK if options.quick else FULL, folder)
            for table in measured:
                show(console, table)
            tables += measured
    finally:
        shutil.rmtree(folder)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(as_json(found, tables))
    console.print(f"Every sample is in {options.json}.", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="measure this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="less of everything: see that it works, in a minute")
    parser.add_argument("--json", type=Path, default=CACHE / "benchmarks.json", help="where the samples go")
    parser.add_argument("--folder", type=Path, default=CACHE, help="on the disk to be measured; it is left as it was")
    return parser


if __name__ == "__main__":
    main()
