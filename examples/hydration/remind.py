"""The job: reads how much was drunk today, and says so. It writes nothing."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from state_tool import load_state  # noqa: E402

water = load_state("water", {"total": 0, "goal": 2000})
print(f"喝水提醒: {water.get('total', 0)} of {water.get('goal', 2000)} ml so far")
