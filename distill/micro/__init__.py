"""The embedded world: a task, a scripted teacher and a student that two CPU cores train."""
