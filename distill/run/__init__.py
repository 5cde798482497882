"""Many runs: compose and check configs, launch a sweep, record each run, track it."""
