"""Files of published packages, fetched once with ``npm pack`` and kept in ``.cache/npm``."""

import shutil
import subprocess
import tarfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "npm"


def npm_available() -> bool:
    return shutil.which("npm") is not None


def npm_file(package: str, version: str, path: str) -> bytes:
    """Return one file of a package, as ``npm install`` would lay it down."""
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / f"{package}-{version}.tgz"
    if not archive.exists():
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), f"{package}@{version}"]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=CACHE)
    with tarfile.open(archive) as contents:
        member = contents.extractfile(f"package/{path}")
        if member is None:
            raise FileNotFoundError(f"{package}@{version} has no {path}")
        return member.read()


def npm_folder(package: str, version: str) -> Path:
    """Return a folder in which a package is installed with what it depends on, none of their scripts run."""
    folder = CACHE / f"{package.replace('/', '-')}-{version}"
    if not (folder / "node_modules" / package).exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", f"{package}@{version}"]
        subprocess.run([*command, "--prefix", str(folder)], check=True, capture_output=True, timeout=120, cwd=folder)
    return folder
