"""Files that somebody else wrote run no code, write nowhere else, and steer no terminal."""

from __future__ import annotations

import ast
import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import vilora_analysis
from tests.log.synthetic import decision, modules, write_posterior_run
from vilora_analysis.cli import main
from vilora_analysis.errors import ConfigError, LayoutError, LogError
from vilora_analysis.posterior import Posterior
from vilora_analysis.training.checkpoint import load_checkpoint
from vilora_analysis.training.models import load_pretrained
from vilora_analysis.training.progress import progress_bar
from vilora_analysis.training.tasks import get_task

ROOT = Path(vilora_analysis.__file__).parents[1]

UNPICKLERS = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "joblib",
    "dill",
    "cloudpickle",
    "jsonpickle",
}
RUNNING = {"eval", "exec", "os.system", "os.popen", "yaml.load", "pd.read_pickle"}
PROCESSES = {"subprocess.run", "subprocess.Popen", "subprocess.check_output", "subprocess.call"}


def name_of(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def dangers(tree: ast.AST) -> Iterator[str]:
    """What in some code would run what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNPICKLERS:
            yield from (a.name for a in node.names if not a.name.endswith("Error"))
        elif isinstance(node, ast.Call):
            yield from _dangers_of_call(node)


def _dangers_of_call(call: ast.Call) -> Iterator[str]:
    name = name_of(call.func)
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name in RUNNING:
        yield name
    if name.endswith("torch.load") and given.get("weights_only") != "True":
        yield "torch.load"
    if given.get("shell", "False") != "False":
        yield "shell"
    if given.get("allow_pickle", "False") != "False":
        yield "allow_pickle"
    if given.get("trust_remote_code", "False") != "False":
        yield "trust_remote_code"
    if name in PROCESSES and call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
        yield name


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "eval(text)",
        "exec(text)",
        "os.system('ls')",
        "subprocess.run(f'rm {x}')",
        "subprocess.run(['ls'], shell=True)",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
    ],
)
def test_the_search_finds(code: str) -> None:
    assert list(dangers(ast.parse(code)))


def test_nothing_in_the_package_runs_what_it_reads() -> None:
    files = [*ROOT.glob("vilora_analysis/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    found = {f"{f}: {d}" for f in files for d in dangers(ast.parse(f.read_text()))}
    assert len(files) > 200
    assert not found


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"recording": Bomb(tmp_path / "ran")}, tmp_path / "last.pt")
    with pytest.raises(LogError, match=r"last\.pt is damaged"):
        load_checkpoint(tmp_path / "last.pt")
    (tmp_path / "last.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(LogError, match=r"last\.pt is damaged"):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))  # noqa: S301 - the bomb works
    assert (tmp_path / "ran").exists()


def test_a_posterior_that_would_run_code_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posterior.safetensors"
    torch.save({"mu.a": Bomb(tmp_path / "ran"), "sigma.a": torch.ones(1)}, file)
    with pytest.raises(LayoutError, match=r"is not a posterior that can be read"):
        Posterior.load(file)
    assert not (tmp_path / "ran").exists()


def test_a_model_with_code_of_its_own_is_refused_and_nobody_is_asked(
    tmp_path: Path, encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    for file in encoder_path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    own = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M"}
    config = json.loads((tmp_path / "config.json").read_text())
    config = {**config, "model_type": "evil", "auto_map": own}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ConfigError, match=r"cannot load model"):
        load_pretrained(str(tmp_path), get_task("sst2"), 16)
    assert not (tmp_path / "ran").exists()


HOSTILE = (
    *("../../escaped", "/tmp/vilora-escaped", "=HYPERLINK(1)", "[/b][red]", "a\x1b[2Jb\x07"),
    *("a\nb", "<script>alert(1)</script>", "\\input{/etc/passwd}", "\u202etxt.exe"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose every text is somebody's attempt."""
    root = tmp_path_factory.mktemp("hostile") / "a" / "b"
    for number, name in enumerate(("[/b] \x1b[31mred\x1b]0;title\x07", "=cmd|' /C calc'!A0")):
        rows = tuple(
            replace(row, name=f"{text} {at}")
            for at, (row, text) in enumerate(zip(modules(), HOSTILE, strict=False))
        )
        events = [decision(3, pruned=[HOSTILE[0]], revived=[HOSTILE[4]])]
        metrics = [(step, {"loss": 1.0, "lr": 0.1}) for step in range(1, 6)]
        results = dict(zip(HOSTILE, HOSTILE, strict=True))
        run = write_posterior_run(
            root / "runs" / name,
            rows=rows,
            events=events,
            metrics=metrics,
            results={**results, "accuracy": 0.5},
            seed=number,
            config={**results, "task": HOSTILE[4], "method": HOSTILE[0], "model": HOSTILE[6]},
            criterion=None,
        ).path
        described = json.loads((run / "run.json").read_text())
        for score, text in zip(described["scores"], HOSTILE[3:], strict=False):
            score |= {"label": text, "equation": text, "source": text}
        (run / "run.json").write_text(json.dumps({**described, "versions": results}))
    return root


COMMANDS = (
    "check runs",
    "runs runs --csv out/all.csv",
    "analyze runs --out out",
    "audit runs --out out",
    "claims runs --out out",
    "figure ranks runs --out out",
    "table runs --out out/t.md",
    "provenance runs",
    "compact runs",
)


@pytest.mark.filterwarnings("ignore:Glyph .* missing from")
@pytest.mark.parametrize("line", COMMANDS)
def test_hostile_names_write_nowhere_else_and_steer_no_terminal(
    line: str,
    hostile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("vilora_analysis.figures.save", lambda figure, path, **_: [])
    monkeypatch.chdir(hostile)
    above = hostile.parent.parent
    before = {path for path in above.rglob("*") if hostile / "out" not in path.parents}
    assert main(line.split()) in (0, 1, 2)
    said = capsys.readouterr()
    assert said.out + said.err
    for stream in (said.out, said.err):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", stream)
    after = {path for path in above.rglob("*") if hostile / "out" not in path.parents}
    assert {path for path in after - before if path.suffix != ".lock"} <= {hostile / "out"}
    assert not Path("/tmp/vilora-escaped").exists()


def test_the_table_of_runs_holds_no_formula(hostile: Path, tmp_path: Path) -> None:
    assert main(["runs", str(hostile / "runs"), "--csv", str(tmp_path / "runs.csv")]) == 0
    frame = pd.read_csv(tmp_path / "runs.csv")
    texts = [text for name in frame for text in frame[name] if isinstance(text, str)]
    assert len(texts) > 10
    assert not [text for text in texts if text.lstrip().startswith(("=", "+", "-", "@"))]


def test_a_run_named_by_dots_stays_within_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``runs/a/sub/..`` is the run ``a``, and its files go to ``out/a``, not to what is above."""
    monkeypatch.setattr("vilora_analysis.figures.save", lambda figure, path, **_: [])
    for name in ("a", "b"):
        write_posterior_run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "a" / "sub").mkdir()
    words = [str(tmp_path / "runs" / "a" / "sub" / ".."), str(tmp_path / "runs" / "b")]
    assert main(["analyze", *words, "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "b"}
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "out"}


def test_the_name_of_a_folder_steers_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(2, desc="a\x1b[2J\rb\u202e", unit="step", show=True) as bar:
        bar.update()
    said = capsys.readouterr().err
    assert r"a\x1b[2J\rb\u202e" in said
    assert "\x1b[2J" not in said
    assert "\u202e" not in said


def test_a_run_has_the_name_of_its_folder_however_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_posterior_run(tmp_path / "mine").path
    assert vilora_analysis.open_run(run / "triplets" / "..").name == "mine"
    monkeypatch.chdir(run)
    assert vilora_analysis.open_run(".").name == "mine"
    monkeypatch.chdir(run / "metrics")
    assert vilora_analysis.open_run("..").name == "mine"
