"""What the tasks share, or what is too long for the task's own file."""
