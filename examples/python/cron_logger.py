"""Records runs and deliveries from Python, for scripts written against the original cron_logger.

    from cron_logger import log_execution, log_delivery, get_summary, get_alerts

    log_execution("water-reminder", "success", 812, stdout="drink")
    log_delivery("water-reminder", "openclaw-weixin:42")

cronwrap does the recording, so both may be used side by side. It is found on the PATH, or by CRONWRAP_BIN (a
command line). Under `cronwrap -- python3 task.py` log_execution records nothing twice.

    python3 cron_logger.py delivery <job> <messageId> [status]
    python3 cron_logger.py summary
    python3 cron_logger.py alerts
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile


class RecordingFailed(RuntimeError):
    """cronwrap refused or could not be run; the message says why."""


def log_execution(job_id, status, duration_ms=0, stdout="", stderr="", error=None, command=None):
    """Records a run. status is "success" or "error"; a bool or exit code is taken as well."""
    words = ["record", job_id, "--status", _status(status), "--duration-ms", str(int(duration_ms or 0))]
    if error:
        words += [f"--error={error}"]
    if command:
        words += [f"--command={command}"]
    with tempfile.TemporaryDirectory() as directory:
        for name, text in (("stdout", stdout), ("stderr", stderr)):
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                file.write(text if isinstance(text, bytes) else str(text or "").encode())
            words += [f"--{name}-file", path]
        _cronwrap(words)


def log_delivery(job_id, message_id, status="sent", error=None):
    """Records that the job's message was sent, delivered, failed or skipped."""
    words = ["delivery"] + ([f"--error={error}"] if error else []) + ["--", job_id, str(message_id), status]
    _cronwrap(words)


def get_summary(job_id=None):
    """All that is known, by job id; of one job, or None, with job_id."""
    summary = json.loads(_cronwrap(["summary"]))
    return summary if job_id is None else summary.get(job_id)


def get_alerts():
    """What is wrong now, as a list."""
    return json.loads(_cronwrap(["alerts", "--json"]))


def _status(status):
    if isinstance(status, bool):
        return "success" if status else "error"
    if isinstance(status, int):
        return "success" if status == 0 else "error"
    return "success" if str(status) in ("success", "ok") else "error"


def _cronwrap(words):
    program = shlex.split(os.environ.get("CRONWRAP_BIN", "cronwrap"))
    environment = {name: value for name, value in os.environ.items() if name != "CRONWRAP_BIN"}
    try:
        done = subprocess.run(program + words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except OSError as error:
        raise RecordingFailed(f"{program[0]} cannot be run: {error}; put cronwrap on the PATH or set CRONWRAP_BIN") from error
    if done.returncode != 0:
        raise RecordingFailed(done.stderr.decode(errors="replace").strip())
    return done.stdout.decode()


def main(words):
    if len(words) in (3, 4) and words[0] == "delivery":
        log_delivery(*words[1:])
    elif words == ["summary"]:
        print(json.dumps(get_summary(), indent=2, ensure_ascii=False))
    elif words == ["alerts"]:
        print(json.dumps(get_alerts(), indent=2, ensure_ascii=False))
    else:
        print("usage: cron_logger.py delivery <job> <messageId> [status] | summary | alerts", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RecordingFailed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
