"""What is special about mails in a folder: their names, and what a disk can do to them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.providers.folder import FolderMailer
from infra.providers.mail import escaped
from shared.kernel.errors import ProviderUnavailable
from shared.notifications.model import Mail

MAIL = Mail("ada@example.com", "Your order 7", "Thank you!")

ON_A_FULL_DISK = """
import sys
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

from infra.providers.folder import FolderMailer
from shared.kernel.errors import ProviderUnavailable
from shared.notifications.model import Mail

setrlimit(RLIMIT_FSIZE, (1000, 1000))
mailer = FolderMailer(Path(sys.argv[1]))
mailer.send("small", Mail("ada@example.com", "Hello", ""))
try:
    mailer.send("big", Mail("ada@example.com", "Hello", "x" * 900))
except ProviderUnavailable as error:
    print(error)
"""


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_named_after_the_key(tmp_path):
    FolderMailer(tmp_path / "new" / "mails").send("welcome:users/ada:1:0", MAIL)

    assert names(tmp_path / "new" / "mails") == ["welcome%3Ausers%2Fada%3A1%3A0.eml"]


def test_a_duplicate_can_be_seen_and_takes_nobody_elses_name(tmp_path):
    mailer = FolderMailer(tmp_path)

    for key in ("a", "a", "a.2", "a"):
        mailer.send(key, MAIL)

    assert names(tmp_path) == ["a%2E2.eml", "a.2.eml", "a.3.eml", "a.eml"]


def test_duplicates_sent_at_once_all_keep_a_file(tmp_path):
    mailer = FolderMailer(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: mailer.send("a", MAIL), range(20)))

    assert len(names(tmp_path)) == 20
    assert {"a.eml", "a.2.eml", "a.20.eml"} < set(names(tmp_path))


@given(st.text(max_size=16))
def test_a_key_can_be_read_back_from_its_name(key):
    name = escaped(key)

    assert unquote(name) == key
    assert name.isascii()
    assert not set(name) & set('./\\:*?"<>|\0 ')


@given(st.text(st.characters(codec="utf-8"), min_size=150, max_size=300))
def test_a_long_key_still_fits_a_name_of_its_own(key):
    name, other = escaped(key), escaped(f"{key}x")

    assert name != other
    assert len(f"{name}.100.eml") <= 255


def test_a_folder_that_can_not_be_written_is_an_outage_that_names_it(tmp_path):
    in_the_way = tmp_path / "mails"
    in_the_way.write_text("a file")

    with pytest.raises(ProviderUnavailable, match=f"mail 'welcome:1' can't be written to the folder '{in_the_way}'"):
        FolderMailer(in_the_way).send("welcome:1", MAIL)


@pytest.mark.skipif(sys.platform == "win32", reason="does not apply: no limits of file sizes on Windows")
def test_a_full_disk_is_an_outage_and_leaves_no_half_a_mail(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, tmp_path], capture_output=True, text=True, check=True
    )

    assert result.stdout == f"mail 'big' can't be written to the folder '{tmp_path}': File too large\n"
    assert names(tmp_path) == ["small.eml"]
