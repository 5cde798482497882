"""The embedded world: a task, a scripted teacher and a student small enough for two CPU cores."""
