"""The Python modules beside the built program. Run by `npm test`; needs Node on the PATH."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = ["node", os.path.join(ROOT, "bin", "cronwrap.js")]
sys.path.insert(0, os.path.join(ROOT, "examples", "python"))

import cron_logger  # noqa: E402
import state_tool  # noqa: E402


class Beside(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for name in [name for name in os.environ if name.startswith("CRONWRAP_")]:
            del os.environ[name]
        os.environ["CRONWRAP_HOME"] = directory.name
        os.environ["CRONWRAP_BIN"] = shlex.join(BIN)

    def cronwrap(self, *words):
        environment = {name: value for name, value in os.environ.items() if name != "CRONWRAP_BIN"}
        return subprocess.run(BIN + list(words), env=environment, capture_output=True, text=True, check=False)


class State(Beside):
    def test_reads_what_cronwrap_writes_and_the_other_way_round(self):
        self.assertIsNone(state_tool.read_state("water"))
        self.assertTrue(state_tool.write_state("water", {"total": 0, "who": "小明"}))
        self.assertEqual(self.cronwrap("state", "get", "water", "/who", "--raw").stdout, "小明\n")
        self.assertEqual(self.cronwrap("state", "merge", "water", '{"total": 300}').returncode, 0)
        self.assertTrue(state_tool.update_state("water", lambda state: {**state, "total": state["total"] + 300}))
        self.assertEqual(state_tool.read_state("water.json"), {"total": 600, "who": "小明"})
        self.assertEqual(json.loads(self.cronwrap("state", "get", "water").stdout)["total"], 600)

    def test_fn_may_leave_it_alone_or_raise(self):
        state_tool.write_state("kept", {"a": 1})
        self.assertTrue(state_tool.update_state("kept", lambda state: None))
        with self.assertRaisesRegex(KeyError, "mine"):
            state_tool.update_state("kept", lambda state: state["mine"])
        with self.assertRaisesRegex(TypeError, "JSON object"):
            state_tool.write_state("kept", [1])
        self.assertEqual(state_tool.read_state("kept"), {"a": 1})

    def test_degrades_with_a_line_in_the_log(self):
        os.makedirs(os.path.join(os.environ["CRONWRAP_HOME"], "state"))
        with open(os.path.join(os.environ["CRONWRAP_HOME"], "state", "torn.json"), "w", encoding="utf-8") as file:
            file.write('{"half')
        self.assertIsNone(state_tool.read_state("torn"))
        with open(os.path.join(os.environ["CRONWRAP_HOME"], "logs", "cronwrap.log"), encoding="utf-8") as file:
            self.assertIn("state torn cannot be read", file.read())

    def test_names_stay_inside(self):
        for name in ["../x", "a/b", "", ".hidden", "x" * 300]:
            with self.assertRaisesRegex(ValueError, "cannot name a state"):
                state_tool.read_state(name)

    def test_a_job_only_reads(self):
        state_tool.write_state("water", {"total": 1})
        os.environ["CRONWRAP_RUN_ID"] = "x"
        with self.assertRaisesRegex(state_tool.NotAllowed, "jobs only read state"):
            state_tool.write_state("water", {})
        self.assertEqual(state_tool.read_state("water"), {"total": 1})
        os.environ["CRONWRAP_ALLOW_STATE_WRITE"] = "1"
        self.assertTrue(state_tool.write_state("water", {"total": 2}))

    def test_a_day_begins_anew(self):
        self.assertEqual(state_tool.load_state("day", {"total": 0}, "2026-05-26"), {"total": 0, "date": "2026-05-26"})
        state_tool.update_state("day", lambda state: {**state, "total": 5})
        self.assertEqual(state_tool.load_state("day", {"total": 0}, "2026-05-26")["total"], 5)
        self.assertEqual(state_tool.load_state("day", {"total": 0}, "2026-05-27"), {"total": 0, "date": "2026-05-27"})
        archived = os.path.join(os.environ["CRONWRAP_HOME"], "state", "archive", "day.2026-05-26.json")
        with open(archived, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["total"], 5)


class Logger(Beside):
    def test_runs_and_deliveries(self):
        cron_logger.log_execution("task", "success", 812, stdout="你好\n")
        for _ in range(3):
            cron_logger.log_execution("task", "error", 5, stderr=b"Traceback\nValueError: bad\n")
        cron_logger.log_delivery("task", "-5")
        cron_logger.log_delivery("task", "12345678901234567890123", "failed", error="blocked")
        self.assertEqual(cron_logger.get_summary("task")["total_runs"], 4)
        self.assertEqual(cron_logger.get_summary("task")["last_delivery"]["message_id"], "12345678901234567890123")
        self.assertEqual(cron_logger.get_summary("task")["deliveries_sent"], 1)
        kinds = [(alert["kind"], alert["last_error"]) for alert in cron_logger.get_alerts()]
        self.assertEqual(kinds, [("consecutive_failures", "ValueError: bad"), ("delivery_failed", "blocked")])

    def test_under_the_wrapper_a_run_is_recorded_once(self):
        script = f"import sys; sys.path.insert(0, {os.path.join(ROOT, 'examples/python')!r}); import cron_logger; cron_logger.log_execution('task', 'success', 1)"
        environment = dict(os.environ)
        subprocess.run(BIN + ["--job", "task", "--", sys.executable, "-c", script], env=environment, check=True, capture_output=True)
        self.assertEqual(cron_logger.get_summary("task")["total_runs"], 1)

    def test_the_command_line(self):
        logger = [sys.executable, os.path.join(ROOT, "examples", "python", "cron_logger.py")]
        cron_logger.log_execution("task", True)
        subprocess.run(logger + ["delivery", "task", "007", "delivered"], check=True)
        shown = json.loads(subprocess.run(logger + ["summary"], check=True, capture_output=True).stdout)
        self.assertEqual(shown["task"]["last_delivery"]["message_id"], "007")
        self.assertEqual(json.loads(subprocess.run(logger + ["alerts"], check=True, capture_output=True).stdout), [])
        unknown = subprocess.run(logger + ["delivery", "nobody", "1"], check=False, capture_output=True, text=True)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("no run of a job", unknown.stderr)
        self.assertEqual(subprocess.run(logger, check=False, capture_output=True).returncode, 2)


if __name__ == "__main__":
    unittest.main()
