"""What the framework that cronwrap replaces did around a job, from inside one Python process.

usage: original.py BASE COMMAND...

Runs the command, appends what it printed to the job's log, and puts its outcome into the summary
and the alerts of all jobs, each read, changed and written again.
"""

import fcntl
import json
import os
import subprocess
import sys
from datetime import datetime

ALERT_AFTER = 3


def read_json(path, fallback):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return fallback


def write_json(path, value):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def update_json(path, fallback, change):
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        value = change(read_json(path, fallback))
        write_json(path, value)
        return value


def append_log(path, job, started, result):
    with open(path, "ab") as log:
        log.write(f"=== {job} {started} exit {result.returncode}\n".encode())
        log.write(result.stdout)
        log.write(result.stderr)


def count_run(summary, job, started, failed):
    entry = summary.setdefault(job, {"consecutive_success": 0, "consecutive_errors": 0, "total_runs": 0})
    entry["last_run"] = started
    entry["last_status"] = "error" if failed else "success"
    entry["consecutive_success"] = 0 if failed else entry["consecutive_success"] + 1
    entry["consecutive_errors"] = entry["consecutive_errors"] + 1 if failed else 0
    entry["total_runs"] += 1
    return summary


def alerts_with(alerts, job, entry):
    others = [alert for alert in alerts if alert["job"] != job]
    if entry["consecutive_errors"] < ALERT_AFTER:
        return others
    return [*others, {"job": job, "time": entry["last_run"], "consecutive_errors": entry["consecutive_errors"]}]


def main(base, command):
    logs = os.path.join(base, "logs")
    os.makedirs(logs, exist_ok=True)
    job = os.path.basename(command[0])
    started = datetime.now().astimezone().isoformat()
    result = subprocess.run(command, capture_output=True)
    append_log(os.path.join(logs, f"{job}.log"), job, started, result)
    failed = result.returncode != 0
    summary = update_json(
        os.path.join(logs, "cron-summary.json"), {}, lambda value: count_run(value, job, started, failed)
    )
    update_json(os.path.join(logs, "cron-alerts.json"), [], lambda value: alerts_with(value, job, summary[job]))
    return result.returncode


sys.exit(main(sys.argv[1], sys.argv[2:]))
