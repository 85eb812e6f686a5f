#!/usr/bin/env python3
"""Builds the documentation as a site of static files, with a search that needs no server.

    docs/site/build.py [<folder>]      default: bin/site

The pages are the repository's, where they are. Links to files that are no pages lead to the
repository. A link that leads nowhere is an error.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parent.parent
settings = (here / "zensical.toml").read_text()
repository = "https://github.com/caddy-session/caddy-session/blob/main/"
patterns = ["*.md", "docs/**/*.md", "docs/*.yml", "docs/*.json", "docs/**/*.svg", "examples/**/*.md", "frameworks/**/*.md"]


def generator() -> Path:
    """Returns the generator, installed in the versions of test/requirements/site.txt."""
    folder, wanted = root / "test/.venvs/site", root / "test/requirements/site.txt"
    installed = folder / "installed.txt"
    if not installed.exists() or not filecmp.cmp(installed, wanted, shallow=False):
        if folder.is_symlink():  # to what other checkouts use too
            folder.unlink()
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", "--no-deps", "-r", wanted], check=True)
        shutil.copy(wanted, installed)
    return folder / "bin/zensical"


def navigation() -> list:
    """Returns the sections of docs/README.md, each with the pages that no later one links to."""
    sections, owner = {}, {}
    for part in re.split(r"^## ", (root / "docs/README.md").read_text(), flags=re.M)[1:]:
        title, _, text = part.partition("\n")
        section = sections[title.partition(":")[0]] = {}
        for name, link in re.findall(r"\[([^\]]+)\]\(([\w./-]+\.md)\)", text):
            page = os.path.normpath("docs/" + link)
            owner.setdefault(page, section).pop(page, None)
            owner[page] = section
            section[page] = name[:1].upper() + name[1:]
    return [{"caddy-session": "README.md"}, {"All pages": "docs/README.md"}] + [
        {title: [{name: page} for page, name in section.items()]} for title, section in sections.items() if section
    ]


def pages(to: Path) -> None:
    """Copies the pages. Links that leave them lead to the repository."""
    names = {path.relative_to(root) for pattern in patterns for path in root.glob(pattern)}
    for name in names:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (root / name).read_text()
        if name.suffix == ".md":
            def link(found: re.Match) -> str:
                to = Path(os.path.normpath(name.parent / found[1]))
                if to in names or not (root / to).exists():
                    return found[0]
                return f"]({repository}{to.as_posix()})"

            text = re.sub(r"\]\(((?!https?:|#)[^()\s#]+)\)", link, text)
        target.write_text(text)


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "bin/site").resolve()
    command = generator()
    with tempfile.TemporaryDirectory() as work:
        pages(Path(work, "pages"))
        nav = "nav = [\n" + ",\n".join(toml(section) for section in navigation()) + "\n]\n"
        Path(work, "zensical.toml").write_text(settings.replace("\n# Nothing is loaded", "\n" + nav + "\n# Nothing is loaded"))
        built = subprocess.run([command, "build", "--strict"], cwd=work, env={**os.environ, "NO_COLOR": "1"})
        if built.returncode != 0:
            sys.exit("the site was not built: see above")
        shutil.copytree(Path(work, "site"), out, dirs_exist_ok=True)
    print(out / "index.html")


def toml(entry: dict) -> str:
    """Returns an entry of the navigation as TOML."""
    (name, value), = entry.items()
    text = json.dumps(value) if isinstance(value, str) else "[" + ", ".join(map(toml, value)) + "]"
    return "{" + json.dumps(name) + " = " + text + "}"


if __name__ == "__main__":
    main()
