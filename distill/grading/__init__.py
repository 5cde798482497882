"""Is an answer right? Found, compared or run the same way for traces and for responses."""
