"""Shared JSON state for Python, beside cronwrap: same files, same protocol, standard library only.

    from state_tool import read_state, write_state, update_state, load_state

    water = read_state("water")                              # dict, or None
    update_state("water", lambda s: {**(s or {}), "total": (s or {}).get("total", 0) + 300})

A read that fails gives None and a write that fails returns False, each with a line in logs/cronwrap.log.
Inside a wrapped job (CRONWRAP_RUN_ID is set) writing is refused, unless the job was started with
--allow-state-write: the main process writes, jobs only read.
"""

import contextlib
import datetime
import json
import os
import random
import re
import shutil
import threading
import time
import uuid

READS = 3
STALE_SECONDS = 10.0
LOCK_SECONDS = 15.0
KEEP_DAYS = 30
_ID = re.compile(r"^[^\W.][\w.\-]*$|^[\w\-][\w.\-]*$")


class NotAllowed(PermissionError):
    """A wrapped job tried to write state."""


def base_directory():
    """CRONWRAP_HOME, else the OpenClaw workspace if there is one, else the XDG state directory."""
    env = os.environ
    if env.get("CRONWRAP_HOME"):
        return os.path.abspath(os.path.expanduser(env["CRONWRAP_HOME"]))
    home = env.get("HOME") or os.path.expanduser("~")
    places = [os.path.join(home, ".openclaw", "workspace")]
    if env.get("OPENCLAW_STATE_DIR"):
        places.insert(0, os.path.join(os.path.expanduser(env["OPENCLAW_STATE_DIR"]), "workspace"))
    for place in places:
        if os.path.exists(place):
            return place
    return os.path.join(env.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state"), "cronwrap")


def read_state(name):
    """The state as a dict, or None when there is none or it cannot be read. Takes no lock."""
    place = _place(name)
    for attempt in range(READS):
        try:
            content = _see(place)[1]
            return None if content is None else _parse(content)
        except (OSError, ValueError) as error:
            if attempt == READS - 1:
                _note(f"state {name} cannot be read: {error}")
                return None
            time.sleep(0.05)


def write_state(name, data):
    """Replaces the state whatever it was; False when it could not be written."""
    return _change(name, lambda content: data)


def update_state(name, fn):
    """Gives fn the present value (None when there is none) and writes what it returns; None leaves it alone.

    fn may be called again with a newer value if another writer was first. What it raises is raised.
    """
    return _change(name, lambda content: fn(None if content is None else _parse(content)))


def load_state(name, initial=None, today=None):
    """A state that begins anew each day: when its "date" is not today's, `initial` with today's date.

    The old day is kept as state/archive/{name}.{date}.json for 30 days. A job, which only reads, sees the new day
    and does not write it.
    """
    today = today or datetime.date.today().isoformat()
    fresh = {**(initial or {}), "date": today}
    current = read_state(name)
    if current is not None and current.get("date") == today:
        return current
    if not _may_write():
        return fresh
    seen = {}

    def begin(value):
        if value is not None and value.get("date") == today:
            seen["value"] = value
            return None
        if value is not None:
            _archive(name, value, today)
        return fresh

    update_state(name, begin)
    return seen.get("value", fresh)


# How exactly one writer decides each next value is told in cronwrap's src/state/generation.ts; this is the same.


class _Place:
    def __init__(self, state, name):
        self.file = os.path.join(state, f"{name}.json")
        self.directory = os.path.join(state, f".{name}")


def _place(name):
    name = name[:-5] if name.endswith(".json") else name
    if not _ID.match(name) or name.startswith(".") or len(name.encode()) > 128:
        raise ValueError(f"{name!r} cannot name a state")
    return _Place(os.path.join(base_directory(), "state"), name)


def _may_write():
    allowed = os.environ.get("CRONWRAP_ALLOW_STATE_WRITE", "").lower() in ("1", "true", "yes", "on")
    return "CRONWRAP_RUN_ID" not in os.environ or allowed


def _change(name, decide):
    place = _place(name)
    if not _may_write():
        job = os.environ.get("CRONWRAP_JOB_ID", "")
        raise NotAllowed(f"the job {job} may not change state {name}: jobs only read state")
    try:
        _make_directory(os.path.dirname(place.file))
        with _lock(place.file):
            while True:
                seen_id, content = _look(place)
                try:
                    value = decide(content)
                    text = None if value is None else _serialize(value)
                except Exception as error:
                    raise _FromCaller(error) from error
                if text is None or _follow(place, seen_id, text):
                    break
        _tidy(place)
        return True
    except _FromCaller as error:
        raise error.args[0] from None
    except OSError as error:
        _note(f"state {name} cannot be written: {error}")
        return False


class _FromCaller(Exception):
    pass


def _look(place):
    """What is there now, after finishing what others began."""
    while True:
        seen_id, content = _see(place)
        if os.path.exists(os.path.join(place.directory, seen_id, "next")):
            _carry_out(place, seen_id)
            continue
        if content is None:
            for name in _list(place.directory):
                _move_once(os.path.join(place.directory, name, "next", "grave"), _gone(place))
        if os.path.exists(os.path.join(place.directory, seen_id)):
            return seen_id, content
        # Missing: it has been followed meanwhile, or somebody else wrote it. Only the latter is still seen.
        if _see(place)[0] != seen_id:
            continue
        made = _new_directory(place)
        _touch(os.path.join(made, "external"))
        _move_once(made, os.path.join(place.directory, seen_id))
        return seen_id, content


def _follow(place, seen_id, content):
    """Makes content the next value; False when another writer was first."""
    prepared = _new_directory(place)
    os.mkdir(os.path.join(prepared, "self"), 0o700)
    with _create(os.path.join(prepared, "value")) as file:
        file.write(content)
        file.flush()
        # The system's time moves in steps and inodes are used again: the time is set, later than the one before.
        floor = re.search(r"-(\d+)$", seen_id)
        mtime = max(time.time_ns(), int(floor.group(1)) if floor else 0) + 4000
        os.utime(file.fileno(), ns=(mtime, mtime))
        os.fsync(file.fileno())
        next_id = _id(os.fstat(file.fileno()))
    _touch(os.path.join(prepared, f"is-{next_id}"))
    _sync(prepared)
    try:
        os.rename(prepared, os.path.join(place.directory, seen_id, "next"))
    except OSError:
        shutil.rmtree(prepared, ignore_errors=True)
        if os.path.exists(os.path.join(place.directory, seen_id, "next")) or _see(place)[0] != seen_id:
            return False
        raise
    with contextlib.suppress(FileNotFoundError):  # Another process has carried it out, and moved the place away.
        _sync(os.path.join(place.directory, seen_id))
    _carry_out(place, seen_id)
    return True


def _carry_out(place, seen_id):
    claim = os.path.join(place.directory, seen_id, "next")
    next_id = next((name[3:] for name in _list(claim) if name.startswith("is-")), None)
    if next_id is not None:
        _move_once(os.path.join(claim, "self"), os.path.join(place.directory, next_id))
        if os.path.exists(os.path.join(claim, "grave")):
            _move_once(place.file, os.path.join(claim, "grave", "value"))
        else:
            _move_once(os.path.join(claim, "value"), place.file)
        _move_once(os.path.join(claim, "grave"), _gone(place))
    _sync(os.path.dirname(place.file))
    if not os.path.exists(os.path.join(place.directory, seen_id, "external")):
        _move_once(os.path.join(place.directory, seen_id), _gone(place))


def _see(place):
    try:
        fd = os.open(place.file, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return _id_of_nothing(place), None
    with os.fdopen(fd, "rb") as file:
        return _id(os.fstat(file.fileno())), file.read()


def _id(stat):
    return f"{stat.st_ino}-{stat.st_mtime_ns}"


def _id_of_nothing(place):
    def is_free(name):
        # One whose claim still holds its value is not over: it is to be carried out, and no other to be begun.
        claim = os.path.join(place.directory, name, "next")
        return not os.path.exists(claim) or os.path.exists(os.path.join(claim, "value"))

    for name in _list(place.directory):
        if re.match(r"none-.*-", name) and is_free(name):
            return name
    number = 0
    while not is_free(f"none-{number}"):
        number += 1
    return f"none-{number}"


def _tidy(place):
    for name in _list(place.directory):
        path = os.path.join(place.directory, name)
        minute = re.match(r"^gone-(\d+)$", name)
        is_over = minute is not None and abs(time.time() / 60 - int(minute.group(1))) > 2
        if is_over or (name.startswith("new-") and _age(path) > 60):
            shutil.rmtree(path, ignore_errors=True)


def _age(path):
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return 0.0


def _new_directory(place):
    _make_directory(place.directory)
    path = os.path.join(place.directory, f"new-{os.getpid()}--{uuid.uuid4()}")
    os.mkdir(path, 0o700)
    return path


def _gone(place):
    """Removed a minute later at the earliest: a rename that has begun must find the place where it was taken."""
    bucket = os.path.join(place.directory, f"gone-{int(time.time() // 60)}")
    _make_directory(bucket)
    return os.path.join(bucket, str(uuid.uuid4()))


def _move_once(source, target):
    """Whoever comes second finds no source, or no place; both mean that it has been done."""
    with contextlib.suppress(FileNotFoundError, FileExistsError, NotADirectoryError):
        try:
            os.rename(source, target)
        except OSError as error:
            if error.errno not in (39, 66):  # ENOTEMPTY on Linux and macOS
                raise


def _list(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def _make_directory(path):
    os.makedirs(path, mode=0o700, exist_ok=True)


def _create(path):
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _touch(path):
    _create(path).close()


def _sync(directory):
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _parse(content):
    value = json.loads(content.decode("utf-8-sig"))
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _serialize(value):
    if not isinstance(value, dict):
        raise TypeError("a state is a JSON object")
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _archive(name, value, today):
    directory = os.path.join(base_directory(), "state", "archive")
    _make_directory(directory)
    date = value.get("date") if re.match(r"^\d{4}-\d\d-\d\d$", str(value.get("date"))) else "undated"
    temporary = os.path.join(directory, f".{uuid.uuid4()}.tmp")
    with _create(temporary) as file:
        file.write(_serialize(value))
    os.replace(temporary, os.path.join(directory, f"{name}.{date}.json"))
    oldest = (datetime.date.fromisoformat(today) - datetime.timedelta(days=KEEP_DAYS)).isoformat()
    for file_name in os.listdir(directory):
        day = file_name[len(name) + 1 : -len(".json")]
        if file_name.startswith(f"{name}.") and re.match(r"^\d{4}-\d\d-\d\d$", day) and day < oldest:
            os.remove(os.path.join(directory, file_name))


@contextlib.contextmanager
def _lock(path):
    """The lock directory of npm's proper-lockfile. It only saves writers from doing their work twice."""
    lock = path + ".lock"
    deadline = time.monotonic() + LOCK_SECONDS
    held = False
    while not held and time.monotonic() < deadline:
        try:
            os.mkdir(lock, 0o700)
            held = True
        except FileExistsError:
            age = _age(lock)
            if age > STALE_SECONDS or age < -2:
                with contextlib.suppress(OSError):
                    os.rmdir(lock)
            else:
                time.sleep(random.uniform(0.02, 0.06))
    done = threading.Event()
    if held:
        threading.Thread(target=_refresh, args=(lock, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        if held:
            with contextlib.suppress(OSError):
                os.rmdir(lock)


def _refresh(lock, done):
    """Others take a lock for dead whose time is older than 10 s."""
    while not done.wait(STALE_SECONDS / 4):
        with contextlib.suppress(OSError):
            os.utime(lock)


def _note(problem):
    """One line in logs/cronwrap.log: trouble that must not disturb whoever met it."""
    with contextlib.suppress(OSError):
        logs = os.path.join(base_directory(), "logs")
        _make_directory(logs)
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        fd = os.open(os.path.join(logs, "cronwrap.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(f"{now} {problem}\n".replace("\n", " ").rstrip() + "\n")
