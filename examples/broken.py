"""A job that fails: it prints what it has, then raises."""

print("开始备份 (starting)", flush=True)
raise RuntimeError("磁盘已满 (disk full)")
