"""How fast Indelible is here: `make bench`. What each module does stands in its first line; `__main__` tells how to use it."""
