"""A job like any other: it knows nothing of cronwrap."""

import datetime

print(f"喝水时间到了 (time to drink), {datetime.datetime.now():%H:%M}")
