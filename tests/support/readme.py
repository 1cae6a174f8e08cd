"""The README as tests run it: its commands, by section."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

ON_CLOUDS = ON_AWS, ON_OTHERS = "On AWS", "On Google Cloud, and on Azure"
"""The second is written for Google Cloud, and for Azure with the other name."""


def commands() -> dict[str, list[str]]:
    """The lines of the `console` blocks, by the heading that they stand under."""
    parts = re.split(r"^#+ (.+)$", README, flags=re.MULTILINE)
    sections = zip(parts[1::2], parts[2::2], strict=True)
    found = {heading: re.findall(r"```console\n(.*?)```", text, re.DOTALL) for heading, text in sections}
    return {heading: "".join(blocks).splitlines() for heading, blocks in found.items() if blocks}


def blocks(language: str, heading: str) -> list[str]:
    """The blocks of a language under a heading, without what they are indented by."""
    text = re.split(r"^#+ .+$", README.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]
