"""Questions about many runs: plan, status, table, show, explain. Reads what `distill` makes; never trains."""
