"""The house rules that no other tool checks: sizes that can be read, files that work on every machine, pinned
packages whose origin is not written down, and a README whose commands exist.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("bot", "config", "market", "risk", "simulator", "strategies")
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-build.lock",
    "requirements-insync.lock",
    "requirements-ibapi.lock",
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PUBLIC_METHODS_MAX = 14

# Spelt in parts, so that this file does not refuse itself.
MACHINE_PATHS = re.compile(
    "|".join(rf"(?<![\w.~])/{name}/" for name in ("work", "root", "home", "Users", "tmp"))
)
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "files" + r"\.python", "index-" + r"url[ =]+\S+:"))
)


def committed(*endings: str) -> list[Path]:
    """Files of the project with one of the endings; all of them without any."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("the project is not a git repository here")
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    return [
        ROOT / name for name in names if (not endings or name.endswith(endings)) and (ROOT / name).is_file()
    ]


def modules() -> list[Path]:
    rooms = (*ROOMS, "tests", "benchmarks", "examples")
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def where(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_no_module_is_longer_than_one_can_keep_in_mind() -> None:
    lengths = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_every_function_fits_a_screen() -> None:
    too_long = {
        f"{where(path, node.lineno)} {node.name}": lines
        for path in modules()
        for node in functions(ast.parse(path.read_text(encoding="utf-8")))
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert too_long == {}


def test_no_class_does_everything() -> None:
    crowded = {}
    for path in modules():
        if path.is_relative_to(ROOT / "tests"):
            continue  # a double of a wide seam is as wide as the seam
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                public = [
                    item.name
                    for item in node.body
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not item.name.startswith("_")
                ]
                if len(public) > PUBLIC_METHODS_MAX:
                    crowded[f"{where(path, node.lineno)} {node.name}"] = len(public)
    assert crowded == {}


def test_every_room_says_what_it_is_for() -> None:
    for room in ROOMS:
        assert ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))), room


def test_no_file_knows_a_path_of_one_machine() -> None:
    found = [
        f"{where(path, number)} {line.strip()[:80]}"
        for path in committed()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if MACHINE_PATHS.search(line)
    ]
    assert found == []


def test_no_file_names_a_package_registry() -> None:
    found = [
        where(path)
        for path in committed()
        if REGISTRIES.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pinned_package_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) >= 5
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[\w.]+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in text
    assert " @ " not in text


def test_locks_agree_with_each_other() -> None:
    pinned: dict[str, set[str]] = {}
    for name in LOCKS:
        for package, version in re.findall(
            r"^([a-z0-9-]+)==([\w.]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
        ):
            pinned.setdefault(package, set()).add(version)
    assert {package: versions for package, versions in pinned.items() if len(versions) > 1} == {}


def test_runtime_lock_covers_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = set(
        re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    )
    declared = {re.split(r"[<>=~\[]", name)[0].replace("_", "-").lower() for name in project["dependencies"]}
    assert declared - locked == set()
    assert {"pandas", "scipy"} & locked == set()


def test_readme_names_only_tasks_that_exist() -> None:
    named = set(re.findall(r"`?make ([a-z]+)`?", (ROOT / "README.md").read_text(encoding="utf-8")))
    known = set(re.findall(r"^([.a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named <= known


def test_ignored_checks_give_their_reason_on_the_line() -> None:
    silent = re.compile(
        r"#\s*(noqa|type: ignore|pragma: no cover)(:?\s*[A-Z]+[0-9]+|\[[a-z-]+\])?(,\s*[A-Z]+[0-9]+)*\s*$"
    )
    found = [
        where(path, number)
        for path in modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if silent.search(line)
    ]
    assert found == []


def test_ci_runs_what_everyone_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert "make check" in script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111


def test_image_does_not_run_as_root_and_ends_on_sigterm() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1].split(":")[0] not in {"0", "root"}
    assert "STOPSIGNAL SIGTERM" in lines
    assert 'ENTRYPOINT ["alvh"]' in lines


def test_architecture_names_only_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{'|'.join(ROOMS)})/[a-z_/]*(?:\.py|\.toml|/))`", text))
    assert len(named) >= 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_documents_link_only_to_files_that_exist() -> None:
    broken = [
        f"{where(path)} {target}"
        for path in committed(".md")
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_cited_sections_of_the_method_exist() -> None:
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^(?:## |\*\*)([0-9]+(?:\.[0-9]+)?) ", method, re.MULTILINE))
    cited = {
        (where(path), section)
        for path in modules()
        for text in re.findall(
            r"METHOD\s+([0-9][0-9.]*(?:(?:, | and | to |-)[0-9][0-9.]*)*)", path.read_text("utf-8")
        )
        for section in re.findall(r"[0-9]+(?:\.[0-9]+)?", text)
    }
    assert len(cited) >= 20
    assert sorted((file, section) for file, section in cited if section not in sections) == []
