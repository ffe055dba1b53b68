"""Below the application: one connection's requests are read within bounds, small ones are answered at once, the others go on to ASGI."""
