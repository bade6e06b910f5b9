"""A month of a simulated fleet, and a referee that holds the ledger against the simulator's own books.

    fleet.py     the accounts, and what happens in them
    watcher.py   the program that is killed: it polls when it is told
    run.py       the month: polls, kills, outages
    books.py     what the simulator knows
    referee.py   the ledger against it

`python -m tests.e2e.month --seed 7 --days 30` runs it by hand.
"""
