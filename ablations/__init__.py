"""Questions about many runs: plan, status, table, show, explain. Never trains."""
