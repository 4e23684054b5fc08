"""Through the real writers into each kind of file, and back."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

import vilora_analysis as va
from tests.provenance.test_record import ODD, A, B
from vilora_analysis import figures
from vilora_analysis.audits import write_page, write_table
from vilora_analysis.errors import LogError
from vilora_analysis.figures.style import StyledFigure
from vilora_analysis.log.parts import replace_file
from vilora_analysis.provenance import (
    Provenance,
    RunReference,
    comment,
    read_provenance,
    recorded,
)
from vilora_analysis.provenance.pdf import document_info

PICTURES = ("png", "pdf", "svg")
KINDS = (*PICTURES, "parquet", "md")


def picture(kind: type[Figure] = Figure) -> Figure:
    figure = kind(figsize=(0.5, 0.5))
    figure.text(0.5, 0.5, "/Keywords (no)")
    return figure


def write(folder: Path, kinds: tuple[str, ...] = KINDS) -> dict[str, Path]:
    """A file of each kind, by what writes such files."""
    files = figures.save(picture(), folder / "a", [kind for kind in kinds if kind in PICTURES])
    if "parquet" in kinds:
        files += write_table(pd.DataFrame({"x": [1.0, 2.0], "name": ["a", "b"]}), folder / "a")
    if "md" in kinds:
        files.append(write_page([], folder)[0])
    return {file.suffix[1:]: file for file in files}


HOSTILE = tuple(RunReference(word, f"id of {word}", "0f") for word in ODD)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Provenance, dict[str, Path]]:
    with recorded(HOSTILE, ODD) as said:
        return said, write(tmp_path_factory.mktemp("files"))


@pytest.fixture
def made(written: tuple[Provenance, dict[str, Path]]) -> Provenance:
    return written[0]


@pytest.fixture
def files(written: tuple[Provenance, dict[str, Path]]) -> dict[str, Path]:
    return written[1]


@pytest.mark.parametrize("kind", KINDS)
class TestAFileOfEachKind:
    def test_gives_back_what_was_said(
        self, files: dict[str, Path], made: Provenance, kind: str
    ) -> None:
        assert read_provenance(files[kind]) == made
        assert made.runs == HOSTILE
        assert made.command == ODD

    def test_is_known_by_its_suffix_in_capitals_too(
        self, files: dict[str, Path], made: Provenance, kind: str, tmp_path: Path
    ) -> None:
        copy = tmp_path / f"b.{kind.upper()}"
        copy.write_bytes(files[kind].read_bytes())
        assert read_provenance(str(copy)) == made

    def test_names_two_runs_in_their_order(self, kind: str, tmp_path: Path) -> None:
        with recorded([B, A]):
            file = write(tmp_path, (kind,))[kind]
        read = read_provenance(file)
        assert read is not None
        assert (read.runs, read.command) == ((B, A), ())

    def test_has_the_version_alone_if_nothing_is_said(self, kind: str, tmp_path: Path) -> None:
        assert read_provenance(write(tmp_path, (kind,))[kind]) == Provenance(va.__version__)

    def test_comes_out_the_same_byte_for_byte(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
        contents = []
        for name in "ab":
            with recorded([A], ["vilora"]):
                contents.append(write(tmp_path / name, (kind,))[kind].read_bytes())
        assert contents[0] == contents[1]


def test_csv_stays_plain(files: dict[str, Path]) -> None:
    csv = files["parquet"].with_suffix(".csv")
    assert csv.read_text() == "x,name\n1,a\n2,b\n"
    assert read_provenance(csv) is None


# each kind read as others read it, not by our reader


def test_a_png_has_it_as_text_before_the_picture(files: dict[str, Path], made: Provenance) -> None:
    raw, at, chunks = files["png"].read_bytes(), 8, []
    while at < len(raw):
        (length,) = struct.unpack(">I", raw[at : at + 4])
        chunks.append((raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]))
        at += length + 12
    names = [name for name, _ in chunks]
    place = chunks.index((b"tEXt", b"vilora\0" + made.to_json().encode()))
    assert place < names.index(b"IDAT")


def test_a_pdf_has_it_as_keywords_and_its_date_is_the_records(
    files: dict[str, Path], made: Provenance
) -> None:
    raw = files["pdf"].read_bytes()
    text = made.to_json()
    for sign in "\\()":
        text = text.replace(sign, "\\" + sign)
    assert f"/Keywords ({text})".encode() in raw
    date = made.created[:19].translate({ord(sign): None for sign in "-:T"})
    assert f"/CreationDate (D:{date}Z)".encode() in raw


def test_an_svg_has_it_as_description(files: dict[str, Path], made: Provenance) -> None:
    dc = "{http://purl.org/dc/elements/1.1/}"
    root = ElementTree.fromstring(files["svg"].read_text())
    assert [e.text for e in root.iter(f"{dc}description")] == [made.to_json()]
    assert [e.text for e in root.iter(f"{dc}date")] == [made.created]


def test_a_table_has_it_beside_what_pandas_keeps(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, None], "layer": pd.array([1, None], dtype="Int16")})
    frame["kind"] = pd.Categorical(["a", "b"])
    frame.attrs["units"] = {"x": "nats"}
    with recorded([A]) as made:
        parquet, _ = write_table(frame, tmp_path / "t")
    back = pd.read_parquet(parquet)
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == frame.attrs
    assert pq.read_schema(parquet).metadata[b"vilora"].decode() == made.to_json()


@pytest.mark.parametrize("kind", PICTURES)
def test_a_figure_that_users_write_themselves_has_it(kind: str, tmp_path: Path) -> None:
    figure = picture(StyledFigure)
    with recorded([A]) as made:
        figure.savefig(tmp_path / f"a.{kind}")
        figure.savefig(tmp_path / "b", format=kind)
    assert read_provenance(tmp_path / f"a.{kind}") == made
    assert read_provenance((tmp_path / "b").rename(tmp_path / f"c.{kind}")) == made


def test_their_own_metadata_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    picture(StyledFigure).savefig(path, metadata={"Title": "Mine (1)"})
    info = document_info(path.read_bytes())
    assert info["Title"] == "Mine (1)"
    assert info["Creator"] == f"vilora_analysis {va.__version__}"
    assert read_provenance(path) == Provenance(va.__version__)


def test_a_format_without_metadata_is_written_all_the_same(tmp_path: Path) -> None:
    (file,) = figures.save(picture(), tmp_path / "a", ["jpg"])
    assert file.stat().st_size
    assert read_provenance(file) is None


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_others_have_none(kind: str, tmp_path: Path) -> None:
    key = {"png": "vilora", "pdf": "Keywords", "svg": "Description"}[kind]
    for number, metadata in enumerate(({}, {key: "é (a)"})):
        path = tmp_path / f"{number}.{kind}"
        picture().savefig(path, metadata=metadata)
        assert read_provenance(path) is None


def test_tables_and_texts_of_others_have_none(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.md").write_text("vilora-provenance\n")
    (tmp_path / "a.bin").write_bytes(b"\x89PNG")
    for name in ("a.parquet", "a.md", "a.bin"):
        assert read_provenance(tmp_path / name) is None


def test_the_last_record_of_a_text_counts(tmp_path: Path) -> None:
    """A run whose name is a record cannot pass its own off for the file's."""
    false = 'vilora-provenance {"vilora_analysis": "666"}'
    with recorded([RunReference(false, "", "")]) as made:
        for suffix, line in (("html", f"<!-- {comment()} -->"), ("tex", f"% {comment()}")):
            replace_file(tmp_path / f"a.{suffix}", f"{false}\n{line}\n</html>\n")
            assert read_provenance(tmp_path / f"a.{suffix}") == made
        page, *_ = write_page([], tmp_path)
    assert read_provenance(page) == made


@pytest.mark.parametrize("kind", ["png", "pdf", "svg", "parquet"])
@pytest.mark.parametrize("left", [0, 7, 60])
def test_a_file_that_was_cut_short_is_called_damaged(
    files: dict[str, Path], kind: str, left: int, tmp_path: Path
) -> None:
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(files[kind].read_bytes()[:left])
    with pytest.raises(LogError, match=rf"cut\.{kind} is damaged"):
        read_provenance(cut)


def test_a_pdf_in_which_something_was_inserted_is_called_damaged(
    files: dict[str, Path], tmp_path: Path
) -> None:
    raw = files["pdf"].read_bytes()
    start = int(raw.split()[-2])
    table = raw[start:]
    moved = raw[:20] + b"%\n" + raw[20:start] + table.replace(b"%d" % start, b"%d" % (start + 2))
    (tmp_path / "a.pdf").write_bytes(moved)
    with pytest.raises(LogError, match="damaged"):
        read_provenance(tmp_path / "a.pdf")


def test_a_record_that_was_tampered_with_names_the_file(
    files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text('vilora-provenance {"vilora_analysis": "1", "runs": 3}')
    with pytest.raises(LogError, match=r"a\.md: not a record of provenance"):
        read_provenance(tmp_path / "a.md")


def test_no_file_and_a_folder_are_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(LogError, match=f"no file {path}"):
            read_provenance(path)


class TestPdfsOfOtherPrograms:
    """Sound files that matplotlib would not write so are without, not damaged."""

    HEAD = b"%PDF-1.4\n"

    def whole(self, info: bytes, trailer: bytes = b"<< /Size 2 /Info 1 0 R >>") -> bytes:
        body = self.HEAD + b"1 0 obj\n" + info + b"\nendobj\n"
        table = b"xref\n0 2\n0000000000 65535 f \n%010d 00000 n \n" % len(self.HEAD)
        return body + table + b"trailer\n%s\nstartxref\n%d\n%%%%EOF" % (trailer, len(body))

    def test_plain_texts_are_read(self) -> None:
        info = b"<< /Title (a \\(b\\) /Keywords \\\\) /Keywords\n(k>>) /Trapped /False >>"
        assert document_info(self.whole(info)) == {"Title": "a (b) /Keywords \\", "Keywords": "k>>"}

    def test_other_spellings_are_not(self) -> None:
        assert document_info(self.whole(b"<< /Creator <FEFF0041> /Keywords (x) >>")) == {}
        assert document_info(self.whole(b"<< >>")) == {}
        assert document_info(self.whole(b"<< /Keywords (x) >>", b"<< /Size 2 >>")) == {}
        assert document_info(self.whole(b"<< >>", b"<< /Info 7 0 R >>")) == {}
        compressed = self.HEAD + b"7 0 obj << /Type /XRef >>\nstartxref\n9\n%%EOF\n"
        assert document_info(compressed) == {}
