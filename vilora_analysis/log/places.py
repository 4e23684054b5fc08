"""Where a run is: a folder of this machine, or a place that fsspec knows, such as an object store.

``s3://bucket/runs/sst2``, or any other URL of fsspec, becomes a path of ``universal_pathlib``,
which reads like one of :mod:`pathlib`; whatever else was typed stays a path of this machine. An
object store has no folders to make and no names to change: objects appear whole, under their final
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from vilora_analysis.errors import LogError, MissingExtraError, nearest, require

__all__ = [
    "as_place",
    "is_remote",
    "local_output",
    "make_folder",
    "reached",
    "refuse_remote",
    "remove_if_empty",
]

# pathlib makes one slash of two; one letter is a drive of Windows
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):(/.*)", re.DOTALL)
_HERE = ("file", "local")
# a listing that is kept does not see what another process writes
_FRESH = {"use_listings_cache": False}
_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl")


def as_place(where: str | Path) -> Path:
    """Path of what somebody typed.

    Parameters
    ----------
    where
        A path, a URL of fsspec, or either as a path, in which a URL has lost a slash.

    Returns
    -------
    Path
        Of this machine, or one that behaves so.

    Raises
    ------
    LogError
        If there is no such protocol, or no bucket in the URL.
    MissingExtraError
        If what it takes is not installed.

    Examples
    --------
    >>> as_place("runs/sst2") == as_place(Path("runs/sst2")) == Path("runs/sst2")
    True
    >>> as_place("file:///tmp/run") == Path("/tmp/run")
    True
    """
    if is_remote(where):
        return cast(Path, where)
    url = _URL.fullmatch(str(where))
    if url is None or (isinstance(where, Path) and _stands_here(url[1])):
        return Path(where)
    protocol, rest = url[1].lower(), url[2].lstrip("/")
    if protocol in _HERE:
        return Path(f"/{rest}")
    return _remote(protocol, rest, f"{protocol}://{rest}")


def is_remote(where: object) -> bool:
    """Whether a path is not one of this machine."""
    return not isinstance(where, str | Path) and hasattr(where, "fs")


def _stands_here(first: str) -> bool:
    """Whether a folder really is called like a protocol, colon and all."""
    return Path(f"{first}:").is_dir()


def _remote(protocol: str, rest: str, url: str) -> Path:
    known = require("fsspec", extra="cloud").available_protocols()
    if protocol not in known:
        raise LogError(
            f"{url} has a protocol that is not known, {protocol!r}; {nearest(protocol, known)}"
            "s3, gs, abfs and memory are some that are"
        )
    if protocol in _STORES and not rest.strip("/"):
        raise LogError(f"{url} names no bucket; give one, as in {protocol}://bucket/runs/sst2")
    upath = require("upath", extra="cloud")
    options = _FRESH if protocol in _STORES else {}
    try:
        place: Any = upath.UPath(url.rstrip("/"), **options)
        _ = place.fs
    except ImportError as error:
        raise MissingExtraError(
            f"{url} cannot be reached: {error}; what s3:// needs comes with: "
            'pip install "vilora-analysis[cloud]"'
        ) from None
    return cast(Path, place)


def make_folder(place: Path) -> None:
    """Make a folder with those above it; in an object store there are none, and none is made.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if not is_remote(place):
        place.mkdir(parents=True, exist_ok=True)


def remove_if_empty(folder: Path) -> None:
    """Delete a folder with nothing in it; one of an object store ends with the last object."""
    if not is_remote(folder):
        folder.rmdir()


def refuse_remote(place: Path, doing: str, instead: str) -> None:
    """Refuse what only works on this machine.

    Raises
    ------
    LogError
        Naming the place, what was to be done, and what to do instead.
    """
    if is_remote(place):
        raise LogError(f"{place}: {doing} needs a folder of this machine; {instead}")


def local_output(where: str | Path, option: str) -> Path:
    """Path of what somebody typed, where files of all kinds are written: on this machine.

    Parameters
    ----------
    where
        What was given.
    option
        The option or setting that it was given as.

    Raises
    ------
    LogError
        If it is not; naming the option, and what to do instead.
    """
    place = as_place(where)
    refuse_remote(
        place,
        option,
        "write to one and copy it, as with: aws s3 cp --recursive. Training logs can be written "
        "there by vilora_analysis.instrument",
    )
    return place


@contextmanager
def reached(place: Path) -> Iterator[None]:
    """Say what is wrong where a place cannot be reached; of a path of this machine, nothing is.

    That something is not there stays a ``FileNotFoundError``, unless it is the bucket.

    Raises
    ------
    LogError
        With a remedy: no credentials, no access, no such bucket, no connection, or a store that
        went on refusing after the tries that its library makes.
    """
    if not is_remote(place):
        yield
        return
    try:
        yield
    except (LogError, MissingExtraError, NotADirectoryError, FileExistsError):
        raise
    except FileNotFoundError as error:
        if _is_bucket(error):
            raise LogError(f"{place}: no such bucket; check its name, or make it first") from None
        raise
    except Exception as error:
        said = _explained(error)
        if said is None:
            raise
        raise LogError(f"{place} cannot be reached: {said}") from error


def _is_bucket(error: BaseException) -> bool:
    cause = error.__cause__
    response = getattr(cause, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code == "NoSuchBucket" or "bucket does not exist" in str(error)


_REMEDIES: tuple[tuple[Callable[[str, BaseException], bool], str], ...] = (
    (
        lambda name, error: "Credentials" in name or "TokenRetrieval" in name,
        "no credentials; give them as your cloud's tools take them (for s3: AWS_PROFILE, or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    ),
    (
        lambda name, error: isinstance(error, PermissionError),
        "no access; ask for the right to list, read and, for writing, to put and delete there, or "
        "use other credentials",
    ),
    (
        lambda name, error: "EndpointConnection" in name or "ConnectTimeout" in name,
        "nobody answers; check the network and the address (for s3: AWS_ENDPOINT_URL)",
    ),
    (
        lambda name, error: "ParamValidation" in name or "InvalidRegion" in name,
        "the name is not one of a bucket and its objects",
    ),
)


def _explained(error: BaseException) -> str | None:
    """What happened and what to do, for errors of a store; None for any other."""
    name = type(error).__name__
    of_store = type(error).__module__.partition(".")[0] in (
        *("botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec", "gcsfs", "adlfs", "urllib3"),
    )
    for applies, said in _REMEDIES:
        if applies(name, error):
            return f"{said} ({error})"
    if of_store or isinstance(error, OSError):
        return (
            f"the store refused, or the connection broke, until all tries were used up "
            f"({name}: {error}); try again later (for s3, AWS_MAX_ATTEMPTS raises their number)"
        )
    return None
